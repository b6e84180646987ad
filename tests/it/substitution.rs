//! Variables in a crontab: what is published, what is shown, and what is refused.

use std::io::Write;

use tempfile::NamedTempFile;

use crate::support::{Answer, Ended, Setup, Web, endpoint, text};

const SECRET: &str = "Sw0rdf1sh";

fn crontab(lines: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn names_dimensions_and_values_take_variables() {
    let endpoint = endpoint().await;
    let stats = Web::start(|request| {
        assert!(request.starts_with("GET /web-1/depth "), "{request}");
        Answer::ok("7")
    })
    .await;
    let file = crontab(
        "METRIC_NAMESPACE=Shop/${STAGE}\nMETRIC_DIMENSIONS='Host=${HOST}'\n\
         * * * * * name=Depth${NONE:-} value=http://${STATS}/${HOST}/depth\n\
         * * * * * name=Price value=${PRICE} dimensions=\"Shop=${NAME},In=$$,Zone=${ZONE:-b}\"\n\
         * * * * * name=Pid value=\"exec:/bin/sh -c 'X=2; echo $X$${X}'\" dimensions=\n",
    );
    let ended = Setup::new(&endpoint.url())
        .arg("once")
        .with("CRONTAB", file.path().display())
        .with("STATS", stats.place())
        .with("HOST", "web-1")
        .with("STAGE", "prod")
        .with("NAME", "a b=c")
        .with("PRICE", "-0.5")
        .finish()
        .await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let points = endpoint.points();
    let mut told: Vec<_> = points
        .iter()
        .map(|point| {
            let dimensions = point.dimensions.iter();
            let dimensions: Vec<_> = dimensions.map(|(n, v)| format!("{n}={v}")).collect();
            let value = point.value();
            format!(
                "{}/{} {} {value}",
                point.namespace,
                point.name,
                dimensions.join(",")
            )
        })
        .collect();
    told.sort_unstable();
    let expected = [
        "Shop/prod/Depth Host=web-1 7",
        "Shop/prod/Pid  22",
        "Shop/prod/Price Shop=a b=c,In=$,Zone=b -0.5",
    ];
    assert_eq!(told, expected);
}

/// A crontab with secrets wherever a source may have one.
const SECRETS: &str = "\
    * * * * * name=A value=http://127.0.0.1:1/hooks/${SECRET}/x\n\
    * * * * * name=B value=http://me:${SECRET}@127.0.0.1:1/?t=${SECRET}\n\
    * * * * * name=C value=\"exec:/bin/false ${SECRET}\"\n\
    * * * * * name=D value=file:/nowhere/${SECRET}\n\
    * * * * * name=E value=prometheus:http://127.0.0.1:1/${SECRET}#a\n\
    * * * * * name=F value=${SOURCE}\n";

#[tokio::test]
async fn secret_of_a_variable_is_shown_neither_by_check_nor_by_a_failure() {
    let file = crontab(SECRETS);
    let setup = Setup::new("http://127.0.0.1:1")
        .with("CRONTAB", file.path().display())
        .with("SECRET", SECRET)
        .with("SOURCE", format!("http://127.0.0.1:1/{SECRET}"))
        .with("LOG_LEVEL", "trace");
    let checked = setup.clone().arg("check").finish().await;
    assert_eq!(checked.code(), Some(0), "{checked:#?}");
    for shown in [
        "http://127.0.0.1:1/hooks/${SECRET}/x",
        "http://127.0.0.1:1/?…",
        "exec:/bin/false …",
        "file:/nowhere/${SECRET}",
        "prometheus:http://127.0.0.1:1/${SECRET}#a",
        "${SOURCE}/",
    ] {
        let line = format!("    value       {shown}");
        assert!(checked.output.contains(&line), "{shown}: {checked:#?}");
    }
    let failed = setup.clone().arg("once").arg("--dry-run").finish().await;
    assert_eq!(failed.lines("source failed").len(), 6, "{failed:#?}");
    for ended in [checked, failed] {
        let output = format!("{ended:?}");
        assert!(!output.contains(SECRET), "{output}");
    }
}

#[tokio::test]
async fn secret_in_a_wrong_place_is_not_shown_by_the_refusal() {
    let lines = [
        "* * * * * name=A value=${SECRET}",
        "* * * * * name=A value=fiel:${SECRET}",
        "* * * * * name=A value=http://h:${SECRET}/",
        "* * * * * name=A value=1 unit=${SECRET}",
        "* * * * * name=A value=1 resolution=${SECRET}",
        "* * * * * name=A value=1 dimensions=${SECRET}",
        "* * * * * name=A value=http://h/ headers_file=${SECRET}",
        "* * * * * name=A value=prometheus:http://h/#a max_series=${SECRET}",
        "CRON_TZ=${SECRET}",
        "METRIC_UNIT=${SECRET}",
        "METRIC_RESOLUTION=${SECRET}",
    ];
    let file = crontab(&lines.join("\n"));
    let setup = Setup::new("http://127.0.0.1:1")
        .with("CRONTAB", file.path().display())
        .with("SECRET", format!("{SECRET}:x"))
        .with("LOG_LEVEL", "trace");
    for command in ["check", "run"] {
        let ended = setup.clone().arg(command).finish().await;
        assert_eq!(ended.code(), Some(78), "{ended:#?}");
        let output = format!("{ended:?}");
        assert!(!output.contains(SECRET), "{output}");
        for number in 1..=lines.len() {
            let place = format!("{}:{number}:", file.path().display());
            assert!(output.contains(&place), "{number}: {output}");
        }
    }
}

/// What `check` says of the lines of a crontab, by place.
async fn checked(lines: &[String]) -> (Ended, String) {
    let file = crontab(&lines.join("\n"));
    let place = file.path().display().to_string();
    let setup = Setup::new("http://127.0.0.1:1").arg("check");
    let ended = setup
        .with("CRONTAB", &place)
        .with("HOSTNAME", "web-1")
        .with("QUEUE_NAME", "orders")
        .with("EMPTY", "")
        .finish()
        .await;
    (ended, place)
}

/// Where a value may stand, with the column of its first character.
const PLACES: &[(&str, usize)] = &[
    ("* * * * * name=@ value=1", 16),
    ("* * * * * name=A value=file:/run/@", 34),
    ("* * * * * name=A value=1 dimensions=X=@", 39),
    ("* * * * * name=A value=1 namespace='N/@'", 39),
    ("METRIC_DIMENSIONS=X=@", 21),
    ("COMMON_DIMENSIONS=X=@", 21),
    ("METRIC_NAMESPACE=\"@\"", 19),
];

/// What is wrong with it, and what would be right.
const WRONG: &[(&str, &str)] = &[
    ("${HOSTNAM}", "did you mean HOSTNAME? set it"),
    ("${HSOTNAME}", "did you mean HOSTNAME? set it"),
    ("${QUEUENAME}", "did you mean QUEUE_NAME? set it"),
    (
        "${NOWHERE}",
        "not set or is empty; set it, or write ${NAME:-default}",
    ),
    ("${EMPTY}", "not set or is empty; set it"),
    ("${HOSTNAME", "is not closed, write ${NAME}"),
    ("${", "is not closed, write ${NAME}"),
    ("${}", "no name of a variable"),
    ("${-x}", "no name of a variable"),
    ("${:-x}", "no name of a variable"),
    ("${1HOST}", "no name of a variable"),
    ("${HOST-NAME}", "only ${NAME} and ${NAME:-default}"),
    ("${HOSTNAME:=x}", "only ${NAME} and ${NAME:-default}"),
    ("${HOSTNAME:?x}", "only ${NAME} and ${NAME:-default}"),
    ("${HOSTNAME%%.*}", "only ${NAME} and ${NAME:-default}"),
    ("${NOWHERE:-${HOSTNAME}}", "holds no variable of its own"),
];

#[tokio::test]
async fn a_hundred_wrong_substitutions_are_told_by_line_column_and_cure() {
    let all = PLACES
        .iter()
        .flat_map(|place| WRONG.iter().map(move |wrong| (place, wrong)));
    let all: Vec<_> = all.take(100).collect();
    assert_eq!(all.len(), 100);
    let lines: Vec<_> = all
        .iter()
        .map(|((line, _), (wrong, _))| line.replace('@', wrong))
        .collect();
    let (ended, place) = checked(&lines).await;
    assert_eq!(ended.code(), Some(78), "{ended:#?}");
    let told: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(told.len(), all.len(), "{told:#?}");
    for (number, ((_, column), (wrong, cure))) in (1..).zip(&all) {
        let begins = format!("{place}:{number}:{column}: ");
        let line = told.iter().find(|line| line.starts_with(&begins));
        let line = line.unwrap_or_else(|| panic!("{}: {told:#?}", lines[number - 1]));
        assert!(line.contains(cure), "{wrong}: {line}");
    }
}

#[tokio::test]
async fn dollar_without_a_brace_is_refused_where_it_would_be_published() {
    let wrong = ["$HOSTNAME", "$(hostname)", "a$HOSTNAME"];
    let places = PLACES.iter().filter(|(line, _)| !line.contains("value=f"));
    for wrong in wrong {
        let lines: Vec<_> = places
            .clone()
            .map(|(line, _)| line.replace('@', wrong))
            .collect();
        let (ended, place) = checked(&lines).await;
        assert_eq!(ended.code(), Some(78), "{ended:#?}");
        for (number, (_, column)) in (1..).zip(places.clone()) {
            let column = column + wrong.find('$').unwrap();
            let line = format!("{place}:{number}:{column}: a variable is written ${{NAME}};");
            assert!(ended.stderr.contains(&line), "{line}: {ended:#?}");
        }
    }
    let lines = [
        "* * * * * name=A value=file:/run/$HOSTNAME",
        "* * * * * name=B value=\"exec:/bin/sh -c 'echo $HOSTNAME'\"",
        "* * * * * name=C value='prometheus:http://h/#a{b=~\"5..$\"}'",
        "* * * * * name=D value=file:/run/$1",
    ];
    let (ended, place) = checked(&lines.map(str::to_owned)).await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let begins = format!("warning: {place}:1:34: a variable is written");
    assert!(ended.stderr.starts_with(&begins), "{ended:#?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:#?}");
}

/// Words of a crontab with what must be said of a misspelt one, and where they stand.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "* * * * * name=A value=1 @=Count",
        "unit",
        "did you mean unit?",
    ),
    (
        "* * * * * name=A value=1 @=N",
        "namespace",
        "did you mean namespace?",
    ),
    (
        "* * * * * name=A value=1 @=X=1",
        "dimensions",
        "did you mean dimensions?",
    ),
    (
        "* * * * * name=A value=1 @=1",
        "resolution",
        "did you mean resolution?",
    ),
    (
        "* * * * * name=A value=1 unit=@",
        "Percent",
        "did you mean Percent?",
    ),
    (
        "* * * * * name=A value=1 unit=@",
        "Bytes/Second",
        "did you mean Bytes/Second?",
    ),
    (
        "* * * * * name=A value=@:1-2",
        "random",
        "did you mean random?",
    ),
    (
        "* * * * * name=A value=@:http://h/#a",
        "prometheus",
        "did you mean prometheus?",
    ),
    (
        "* * * * * name=A value=host:@",
        "memory",
        "did you mean host:memory?",
    ),
    ("@=Percent", "METRIC_UNIT", "did you mean METRIC_UNIT?"),
    (
        "@=Shop",
        "METRIC_NAMESPACE",
        "did you mean METRIC_NAMESPACE?",
    ),
    (
        "@=X=1",
        "COMMON_DIMENSIONS",
        "did you mean COMMON_DIMENSIONS?",
    ),
    ("@=UTC", "CRON_TZ", "did you mean CRON_TZ?"),
    ("CRON_TZ=@", "Europe/Berlin", "did you mean Europe/Berlin?"),
];

/// A word with one letter left out, doubled, exchanged or replaced.
fn misspellings(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    let mut all = Vec::new();
    for at in 1..letters.len() - 1 {
        let mut left_out = letters.clone();
        left_out.remove(at);
        let mut doubled = letters.clone();
        doubled.insert(at, letters[at]);
        let mut exchanged = letters.clone();
        exchanged.swap(at, at + 1);
        let mut replaced = letters.clone();
        replaced[at] = 'q';
        all.extend([left_out, doubled, exchanged, replaced]);
    }
    let texts = all.into_iter().map(String::from_iter);
    texts.filter(|text| text != word).collect()
}

#[tokio::test]
async fn a_hundred_misspellings_are_told_by_line_and_cure() {
    let all = WORDS.iter().flat_map(|(line, word, cure)| {
        let wrong = misspellings(word).into_iter().take(8);
        wrong.map(move |wrong| (line.replace('@', &wrong), *cure))
    });
    let all: Vec<_> = all.take(100).collect();
    assert_eq!(all.len(), 100);
    let lines: Vec<_> = all.iter().map(|(line, _)| line.clone()).collect();
    let (ended, place) = checked(&lines).await;
    assert_eq!(ended.code(), Some(78), "{ended:#?}");
    let told: Vec<_> = ended.stderr.lines().collect();
    for (number, (line, cure)) in (1..).zip(&all) {
        let begins = format!("{place}:{number}:");
        let found = told
            .iter()
            .any(|told| told.starts_with(&begins) && told.contains(cure));
        assert!(found, "{line}: {cure}: {told:#?}");
    }
}

#[tokio::test]
async fn misspelt_variables_and_repeated_lines_draw_warnings() {
    let file = crontab("* * * * * name=A value=1\n\n* * * * * name=A value=2\n");
    let setup = Setup::new("http://127.0.0.1:1")
        .with("CRONTAB", file.path().display())
        .with("BUFER_LIMIT", 5)
        .with("SCHEDUL", "@hourly")
        .with("AWS_REGOIN", "us-east-1");
    let ended = setup.arg("once").arg("--dry-run").finish().await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let warnings = ended.lines("configuration looks wrong");
    let repeated = format!("{}:3:1", file.path().display());
    for (place, cure) in [
        ("BUFER_LIMIT", "did you mean BUFFER_LIMIT?"),
        ("SCHEDUL", "did you mean SCHEDULE?"),
        ("AWS_REGOIN", "did you mean AWS_REGION?"),
        (&*repeated, "line 1 publishes the same metric"),
    ] {
        let found = |line: &serde_json::Value| {
            text(line, "setting") == place && text(line, "problem").contains(cure)
        };
        assert!(warnings.iter().any(found), "{place}: {warnings:#?}");
    }
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
}
