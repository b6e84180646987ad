//! The name, the default and the meaning of every environment variable. `--help` and
//! the table of `docs/settings.md` are made from these.

use settings::Setting;

settings::settings! {
    AWS_REGION = "", "the region, for example us-east-1; AWS_DEFAULT_REGION or the profile's region also serve";
    ASSUME_ROLE_ARN = "", "a role to assume with the credentials that are found, for example of another account";
    ASSUME_ROLE_EXTERNAL_ID = "", "the external id that the role's trust policy asks for";
    ASSUME_ROLE_SESSION_NAME = "cw-publisher", "the session's name, as CloudTrail shows it";
    METRIC_NAMESPACE = "CustomMetrics", "the namespace, 1-255 printable ASCII characters, not beginning with ':' or AWS/";
    METRIC_NAME = "TestMetric", "the metric's name";
    METRIC_UNIT = "Count", "one of CloudWatch's units, for example Count, Bytes, Percent, Milliseconds";
    METRIC_VALUE = "random:1-100", "a number, random:LOW-HIGH, timestamp, or a source: file:, http://, https://, prometheus:, up:, latency:, exec:, ecs:, host:, of which up to 1 MiB is read";
    METRIC_DIMENSIONS = "", "up to 30 dimensions, Name=Value,Name=Value";
    COMMON_DIMENSIONS = "", "dimensions beside those of every metric, Name=Value,Name=Value; the value may be task:family, task:id or task:cluster of ECS";
    /// One minute, because high resolution costs more for alarms.
    METRIC_RESOLUTION = "60", "60 (one minute) or 1 (one second, high resolution)";
    METRIC_HTTP_HEADERS_FILE = "", "the absolute path of a file of request headers for http, prometheus, up and latency sources, one 'Name: value' a line, up to 64 KiB";
    SCHEDULE = "* * * * *", "when: 5 cron fields, 6 with leading seconds, or @hourly and the like";
    SCHEDULE_TZ = "UTC", "the time zone of the schedule, an IANA name such as Europe/Berlin";
    CRONTAB = "", "a file of many metrics, up to 2 MiB, 100,000 lines of up to 64 KiB and 10,000 metrics; /etc/cw-publisher/crontab is used if it exists";
    /// For where no file can be mounted.
    CRONTAB_CONTENT = "", "the text of a crontab, in the place of a file, within the same bounds";
    /// Who changes a mounted crontab seldom can send a signal, too.
    RELOAD = "on", "whether a crontab file that has changed is read again; it is looked at with each tick. off leaves it to SIGHUP";
    /// A new container should show itself within seconds.
    PUBLISH_ON_START = "true", "whether every metric gets a first point at once";
    SCHEDULE_JITTER = "0s", "delays sending by up to this, at random, to spread a fleet; timestamps stay; not with once";
    /// Four attempts with the delays below span up to 27 s, less than a minute's tick.
    RETRY_MAX = "3", "retries after the first attempt of a request";
    RETRY_BASE = "1s", "the longest delay before the first retry; it doubles with each";
    RETRY_CAP = "20s", "the longest delay before any retry";
    /// A request takes well below a second; five bridge a lost packet or two.
    REQUEST_TIMEOUT = "5s", "the longest that one attempt may take, connecting included";
    SOURCE_TIMEOUT = "5s", "the longest that one value may take";
    /// Below the 10 s that `docker stop` waits before it kills.
    SHUTDOWN_GRACE = "8s", "the longest that stopping may take, a second later the process has ended whatever hangs; keep it below Docker's 10s";
    /// Two weeks at one point a minute, which is as far back as the service accepts.
    BUFFER_LIMIT = "20160", "how many undelivered points are held; the oldest goes first";
    /// The default of `BUFFER_LIMIT` takes an eighth of it, if its metrics are few.
    BUFFER_BYTES = "16MiB", "how much memory undelivered points may take, about, with its unit: KiB, MiB or GiB; the oldest goes first";
    SPOOL_DIR = "", "a writable folder where undelivered points survive a restart";
    HEALTH_ADDR = "auto", "where the health endpoint listens: auto (a private local socket), HOST:PORT (HTTP) or off";
    HEALTH_FAILURES = "3", "consecutive failed ticks that make it unhealthy";
    LOG_LEVEL = "info", "error, warn, info, debug, trace, off, or a filter such as info,aws_config=debug";
    LOG_FORMAT = "json", "json or text";
}

/// The variables of others that are read as their users know them.
pub const FOREIGN: &[Setting] = &[
    Setting {
        name: "AWS_DEFAULT_REGION",
        default: "",
        help: "the region, where AWS_REGION is not set",
    },
    Setting {
        name: "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
        default: "",
        help: "static credentials",
    },
    Setting {
        name: "AWS_PROFILE, AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE",
        default: "",
        help: "credentials and region from a profile, in files of up to 1 MiB",
    },
    Setting {
        name: "AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME",
        default: "",
        help: "web identity, as EKS gives it to service accounts",
    },
    Setting {
        name: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI, \
            AWS_CONTAINER_AUTHORIZATION_TOKEN, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        default: "",
        help: "container credentials, as ECS and EKS Pod Identity set them",
    },
    Setting {
        name: "AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT",
        default: "",
        help: "instance metadata",
    },
    Setting {
        name: "AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_CLOUDWATCH, AWS_ENDPOINT_URL_STS",
        default: "",
        help: "another endpoint, for example a local one; a URL without a query",
    },
    Setting {
        name: "AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT",
        default: "",
        help: "variants of the endpoint",
    },
    Setting {
        name: "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        default: "",
        help: "proxies; NO_PROXY lists what goes past them: *, example.com, *.example.com, 192.0.2.1, [::1], 10.0.0.0/8, each with a port or without",
    },
    Setting {
        name: "AWS_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR",
        default: "",
        help: "certificates to trust in the place of the built-in ones; a bundle has up to 2 MiB, each other file up to 1 MiB",
    },
    Setting {
        name: "ECS_CONTAINER_METADATA_URI_V4",
        default: "",
        help: "where ecs: sources and dimensions such as task:id ask, as ECS sets it",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_every_setting_with_its_default() {
        let page = include_str!("../../docs/settings.md");
        for Setting { name, default, .. } in ALL {
            let default = if default.is_empty() {
                String::new()
            } else {
                format!("`{default}` ")
            };
            let row = format!("| `{name}` | {default}|");
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn page_has_the_variables_of_others() {
        let page = include_str!("../../docs/settings.md");
        for Setting { name, .. } in FOREIGN {
            let row = format!("| `{}` | ", name.replace(", ", "`, `"));
            assert!(page.contains(&row), "{row}");
        }
    }
}
