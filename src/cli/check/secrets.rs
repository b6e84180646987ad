//! Wherever a secret may stand, and however oddly it is quoted there, it is not shown: not
//! by `check`, as text or as a document, not in a refusal, and not by what is made of it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use test_support::cases;

use super::overview::tests::{overview, read};
use super::{document, listing, settings};

/// Stands in each text in the place of a secret.
const MARKER: &str = "Sw0rdf1sh";

/// All that is printed or could be, of these variables and this crontab.
fn printed(crontab: Option<&str>, variables: &[(&str, &str)]) -> String {
    let (config, findings) = read(crontab, variables);
    let variables = variables.iter().map(|(n, v)| (n.into(), v.into()));
    let settings = settings::given(&variables.collect());
    let mut out = format!("{config:?} {findings:?}\n").into_bytes();
    listing::problems(&mut out, &findings).unwrap();
    let overview = config.as_ref().map(|config| overview(config, &settings));
    if let Some(overview) = &overview {
        listing::listing(&mut out, overview).unwrap();
    }
    let document = document::document(overview.as_ref(), &findings);
    String::from_utf8(out).unwrap() + &document.to_string()
}

/// Sources with a secret between braces, beside what makes it one: `{ s}` is an argument,
/// `{u:s@}` a user's password, `{?t=s}` a query.
const SOURCES: &[&str] = &[
    "exec:/bin/x{ s}",
    "exec:/bin/x --pw{ s}",
    "exec:/bin/x --pw{=s}",
    "exec:'/bin/x' --pw{ s}",
    "exec:\"/bin/x\" --pw{ s}",
    "exec:'/bin/x --pw{ s}'",
    "exec:/bin/x\\ --pw\\{ s}",
    "exec:/bin/x '--pw{ s}",
    "exec:/bin/x \"--pw{ s}",
    "exec:./x --pw{ s}",
    "exec /bin/x --pw{ s}",
    "/bin/x --pw{ s}",
    "http://{u:s@}h/",
    "http://{u:it's@}h/",
    "http://{u:it\"s@}h/",
    "http://{u:p/s@}h/",
    "http://{u:1/s@}h/",
    "http://{u:p?s@}h/",
    "http://{u:p#s@}h/",
    "http://{u:1#/s@}h/",
    "http://{u:p s@}h/",
    "http://{u:p@s@}h/",
    "http://{u:p\\s@}h/",
    "http://{u:%s@}h/",
    "http:/{u:s@}h/",
    "http:{u:s@}h/",
    "http:\\\\{u:s@}h/",
    "//{u:s@}h/",
    "{u:s@}h",
    "http://{u:s@}h:99999/",
    "http://{u:s@}",
    "https://h/a{?t=s}#/b",
    "http://h/{?t=s}#x",
    "prometheus:http://{u:s@}h/#a",
    "prometheus:http://{u:s@}h/",
    "prometheus:http:/{u:s@}h/#a{b=\"c\"}",
    "prometheus:http://h/{?t=s}#a",
    "prometheus:{u:s@}h#a",
    "up:http://{u:s@}h/",
    "up:http:/{u:s@}h/",
    "up:tcp://{u:s@}h:1",
    "up:{u:s@}h",
    "latency:https://h/{?t=s}",
    "latency:tcp:/{u:s@}h:1",
    "file:http://{u:s@}h/",
    "random:http://{u:s@}h/",
    "host:http://{u:s@}h/",
    "host:disk:http://{u:s@}h/",
    "ecs:http://{u:s@}h/",
];

/// Lines with a source in them.
const LINES: &[&str] = &[
    "* * * * * name=A value=SOURCE",
    "* * * * * name=A value=SOURCE unit=Count namespace=N",
    "* * * * * value=SOURCE name=A",
    "* * * * * name=A value='SOURCE'",
    "* * * * * name=A value=\"SOURCE\"",
    "* * * * * name=A 'value=SOURCE'",
    "* * * * * name=A value='SOURCE",
    "* * * * * name=A value=\"SOURCE",
    "* * * * * name=A value=SOURCE'",
    "* * * * * name=A value= SOURCE",
    "* * * * * name=A valeu=SOURCE",
    "* * * * * name=A SOURCE",
    "* * * * * name=A value=1 SOURCE",
    "* * * * * SOURCE",
    "* * * * SOURCE",
    "* * * * SOURCE name=A value=1",
    "@hourly SOURCE",
    "@SOURCE name=A value=1",
    "SOURCE",
    "SOURCE name=A value=1",
    "value=SOURCE",
    "VALUE=SOURCE",
    "METRIC_VALUE='SOURCE'",
    "* * * * * name=A value=1 \\\n SOURCE",
    "* * * * * name=A value=1\nSOURCE",
];

/// Variables that may hold one, with a value each.
const VARIABLES: &[(&str, &str)] = &[
    ("AWS_ENDPOINT_URL", "SOURCE"),
    ("AWS_ENDPOINT_URL_CLOUDWATCH", "SOURCE"),
    ("AWS_ENDPOINT_URL_STS", "SOURCE"),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "SOURCE"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "SOURCE"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/SOURCE"),
    ("ECS_CONTAINER_METADATA_URI_V4", "SOURCE"),
    ("HTTP_PROXY", "SOURCE"),
    ("https_proxy", "SOURCE"),
    ("ALL_PROXY", "SOURCE"),
    ("METRIC_VALUE", "SOURCE"),
    ("CRONTAB_CONTENT", "* * * * * name=A value=SOURCE"),
    ("METRIC_HTTP_HEADERS_FILE", "Authorization: Bearer s"),
    ("AWS_ACCESS_KEY_ID", "s"),
    ("AWS_SECRET_ACCESS_KEY", "s"),
    ("AWS_SESSION_TOKEN", "s"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "s"),
];

/// The text before the secret, the secret with what makes it one, and the text behind.
fn parts(template: &str) -> [String; 3] {
    let (before, rest) = template.split_once('{').unwrap();
    let (secret, behind) = rest.split_once('}').unwrap();
    let secret = secret
        .replacen('s', MARKER, 1)
        .replace("itSw0rdf1sh", MARKER);
    [before.to_owned(), secret, behind.to_owned()]
}

/// One typing error: where, which, and with what character.
type Slip = (prop::sample::Index, u8, char);

fn slips() -> impl Strategy<Value = Vec<Slip>> {
    let typed = select(
        "'\"\\ =:@?&%,;!$`()<>|~*aA1\t\u{e9}"
            .chars()
            .collect::<Vec<_>>(),
    );
    vec((any::<prop::sample::Index>(), 0..3_u8, typed), 0..3)
}

fn slip(text: &mut String, (at, kind, typed): &Slip) {
    let mut characters: Vec<char> = text.chars().collect();
    let at = at.index(characters.len() + 1);
    match kind {
        0 => characters.insert(at, *typed),
        1 if at < characters.len() => {
            characters.remove(at);
        }
        _ if at + 1 < characters.len() => characters.swap(at, at + 1),
        _ => {}
    }
    *text = characters.into_iter().collect();
}

/// A source whose secret is whole, with typing errors around it.
fn source() -> impl Strategy<Value = String> {
    (select(SOURCES), slips(), slips()).prop_map(|(template, before, behind)| {
        let [mut start, secret, mut end] = parts(template);
        before.iter().for_each(|error| slip(&mut start, error));
        behind.iter().for_each(|error| slip(&mut end, error));
        start + &secret + &end
    })
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn secret_in_a_line_is_not_shown(line in select(LINES), source in source()) {
        let crontab = line.replace("SOURCE", &source);
        let printed = printed(Some(&crontab), &[]);
        prop_assert!(!printed.contains(MARKER), "{crontab}\n{printed}");
    }

    #[test]
    fn secret_in_a_file_of_headers_place_is_not_shown(
        line in select(vec![
            "* * * * * name=A value=http://h/ headers_file='X: s'",
            "* * * * * name=A value=http://h/ headers_file=X: s",
            "* * * * * name=A value=http://h/ headers_file=\"X: s",
            "* * * * * name=A value=http://h/ header_file='X: s'",
            "* * * * * name=A value=http://h/ headers_file= 'X: s'",
            "* * * * * name=A value=http://h/ headers_file=s",
            "* * * * * name=A value=1 headers_file='X: s'",
        ]),
    ) {
        let crontab = line.replace("s'", &format!("{MARKER}'"));
        let crontab = match crontab.strip_suffix('s') {
            Some(start) => format!("{start}{MARKER}"),
            None => crontab,
        };
        prop_assert!(crontab.contains(MARKER));
        let printed = printed(Some(&crontab), &[]);
        prop_assert!(!printed.contains(MARKER), "{crontab}\n{printed}");
    }

    #[test]
    fn secret_in_a_variable_is_not_shown(
        (name, value) in select(VARIABLES),
        source in source(),
        crontab in select(vec![None, Some("* * * * * name=A value=1"), Some("x")]),
    ) {
        let value = match value {
            "s" => MARKER.to_owned(),
            "Authorization: Bearer s" => format!("Authorization: Bearer {MARKER}"),
            _ => value.replace("SOURCE", &source),
        };
        prop_assert!(value.contains(MARKER));
        let printed = printed(crontab, &[(name, &value)]);
        prop_assert!(!printed.contains(MARKER), "{name}={value}\n{printed}");
    }
}
