//! The help: an overview, and each topic with its examples.

use std::fmt::Write;

use super::options::{ALL, Goes, Opt, Topic};

const USAGE: &str = "\
Runs a container, or attaches to one that runs, and ships every line it prints to CloudWatch Logs.

  cw-run [check] [OPTION…] --docker-image IMAGE --bash-command TEXT
  cw-run [check] [OPTION…] -- IMAGE [WORD…]
  cw-run [check] attach NAME [OPTION…]
  cw-run [check] attach --label NAME[=VALUE] [OPTION…]

check says what would be done and asks nobody; with --json as a document.

Examples:
  cw-run --docker-image python --bash-command 'echo hello' \\
         --aws-cloudwatch-group jobs --aws-cloudwatch-stream today --aws-region us-east-1
  cw-run --group jobs --stream '{name}/{id}' -- alpine sh -c 'echo hello'
  cw-run attach web --group web
  cw-run attach --label ship=yes --group '{label:app}'
";

const END: &str = "
Each option is also an environment variable, which stands beside it; an option wins. Of options
that may be given more than once the variable has one a line. Empty means unset.

--help TOPIC tells about one of: container, destination, events, delivery, connection, output.
--version prints the version.

Exit codes: the container's own; 124 if not all of its lines could be shipped; 125 for failures of
this program; 126 and 127 if the container's program could not be started; 143 if a signal came
before it ran; 2 for wrong arguments; 78 for wrong configuration.
";

/// Everything.
pub(super) fn overview() -> String {
    let mut help = USAGE.to_owned();
    for topic in Topic::ALL {
        section(&mut help, topic);
    }
    help.push_str(END);
    help
}

/// One topic, with examples.
pub(super) fn of(topic: Topic) -> String {
    let mut help = String::new();
    section(&mut help, topic);
    let _ = write!(help, "\n{}", examples(topic));
    help
}

fn title(topic: Topic) -> &'static str {
    match topic {
        Topic::Container => "Container",
        Topic::Destination => {
            "Destination (templates: {name} {id} {full_id} {image} {label:NAME} {date})"
        }
        Topic::Events => "Events",
        Topic::Delivery => "Delivery",
        Topic::Connection => "Connection",
        Topic::Output => "Output",
    }
}

fn section(help: &mut String, topic: Topic) {
    let _ = writeln!(help, "\n{}:", title(topic));
    for option in ALL.iter().filter(|option| option.topic == topic) {
        describe(help, option);
    }
}

fn describe(help: &mut String, option: &Opt) {
    let letter = option
        .short
        .map_or(String::new(), |letter| format!("-{letter}, "));
    let also: String = option
        .also
        .iter()
        .map(|name| format!(", --{name}"))
        .collect();
    let value = if option.is_switch() {
        String::new()
    } else {
        format!(" {}", option.value)
    };
    let default = if option.default.is_empty() {
        String::new()
    } else {
        format!(" [default: {}]", option.default)
    };
    let many = if option.many {
        " (may be repeated)"
    } else {
        ""
    };
    let goes = if option.goes == Goes::Attach {
        " (attach)"
    } else {
        ""
    };
    let _ = writeln!(
        help,
        "  {letter}--{}{also}{value}  {}{default}{many}{goes}",
        option.name, option.variable
    );
    let _ = writeln!(help, "      {}", option.help);
}

fn examples(topic: Topic) -> &'static str {
    match topic {
        Topic::Container => "\
Examples:
  cw-run --group jobs --docker-image python --bash-command 'python -c \"print(1)\"'
  cw-run --group jobs --docker-image alpine --shell sh --bash-command 'echo $HOSTNAME'
  cw-run --group jobs --rm -e STAGE=prod -v /srv/data:/data:ro -m 512m -- alpine ls /data
  cw-run attach web --group web --tail 0
",
        Topic::Destination => "\
A character that the service does not take becomes _, a label that is missing none, and what is
longer than 512 characters is cut.

Examples:
  cw-run --group 'jobs/{label:app}' --stream '{date}/{name}/{id}' -- alpine true
  cw-run --group jobs --stream out --stderr-stream err -- alpine ls /nowhere
  cw-run --group audit --retention-days 365 --tag owner=ops --kms-key-id arn:aws:kms:… -- alpine true
",
        Topic::Events => "\
One event a line, up to 1,048,550 bytes; longer lines are split at a character. What is no UTF-8 is
replaced, empty lines are left out. A line of a multi-line event is looked at up to 16 KiB.

Examples:
  cw-run attach web --group web --multiline-pattern '^(INFO|WARN|ERROR)'
  cw-run attach web --group web --datetime-format '[%Y-%m-%d %H:%M:%S'
",
        Topic::Delivery => "\
While CloudWatch is away the engine keeps the lines; the container is not held up.

Examples:
  cw-run --group jobs --checkpoint /var/lib/cw-run/job -- alpine sh -c 'sleep 60; echo done'
  cw-run --group jobs --on-failure stop --failure-after 5m -- alpine yes
",
        Topic::Connection => "\
Credentials are found as the AWS CLI finds them: variables, profiles, roles of ECS, EKS and EC2.
HTTPS_PROXY, NO_PROXY, AWS_CA_BUNDLE and SSL_CERT_FILE are heeded.

Examples:
  AWS_PROFILE=ops cw-run --group jobs --region eu-central-1 -- alpine true
  cw-run --group jobs --endpoint-url http://127.0.0.1:4566 -- alpine true
",
        Topic::Output => "\
The log goes to standard error.

Examples:
  cw-run --group jobs --tee -- alpine echo hello >lines.txt
  cw-run --group jobs --log-format json --log-level debug -- alpine true
",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_option_with_its_variable_and_default() {
        let help = overview();
        for option in ALL {
            assert!(
                help.contains(&format!("--{}", option.name)),
                "{}",
                option.name
            );
            assert!(help.contains(option.variable), "{}", option.variable);
            assert!(help.contains(option.default), "{}", option.default);
            assert!(of(option.topic).contains(option.help), "{}", option.name);
        }
    }

    #[test]
    fn every_topic_has_examples() {
        for topic in Topic::ALL {
            assert!(of(topic).contains("\nExamples:\n  "), "{}", topic.name());
            assert!(overview().contains(topic.name()));
        }
    }
}
