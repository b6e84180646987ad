use super::*;

/// A change to a good request.
type Change = fn(&mut Input);

const NOW: i64 = 1_800_000_000;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

fn text(length: usize) -> Option<String> {
    Some("n".repeat(length))
}

fn dimension(name: &str, value: &str) -> Dimension {
    Dimension {
        name: Some(name.to_owned()),
        value: Some(value.to_owned()),
    }
}

/// A good request of three data; the third is the one to change.
fn good() -> Input {
    let datum = Datum {
        name: Some("Depth".to_owned()),
        dimensions: vec![dimension("Queue", "orders"), dimension("Stage", "prod")],
        timestamp: Some(NOW as f64),
        value: Some(1.0),
        unit: Some("Count".to_owned()),
        resolution: Some(60),
        ..Datum::default()
    };
    Input {
        namespace: Some("Ns".to_owned()),
        data: vec![datum; 3],
        has_entities: false,
    }
}

fn third(input: &mut Input) -> &mut Datum {
    &mut input.data[2]
}

fn set(minimum: f64, maximum: f64) -> StatisticSet {
    StatisticSet {
        sample_count: Some(2.0),
        sum: Some(3.0),
        minimum: Some(minimum),
        maximum: Some(maximum),
    }
}

fn checked(change: Change) -> Result<Vec<ReceivedPoint>, Refusal> {
    let mut input = good();
    change(&mut input);
    check(input, now())
}

#[test]
fn what_the_service_takes_is_taken() {
    let changes: &[Change] = &[
        |_| {},
        |i| i.namespace = text(255),
        |i| i.namespace = Some("AWS".into()),
        |i| i.data = vec![i.data[0].clone(); 1000],
        |i| third(i).name = text(255),
        |i| third(i).dimensions = vec![],
        |i| third(i).dimensions = (0..30).map(|n| dimension(&n.to_string(), "v")).collect(),
        |i| third(i).dimensions = vec![dimension(&"n".repeat(255), &"v".repeat(1024))],
        |i| third(i).timestamp = None,
        |i| third(i).timestamp = Some((NOW - 14 * 86_400) as f64),
        |i| third(i).timestamp = Some((NOW + 2 * 3600) as f64),
        |i| third(i).unit = None,
        |i| third(i).unit = Some("Terabytes/Second".into()),
        |i| third(i).resolution = Some(1),
        |i| third(i).resolution = None,
        |i| third(i).value = Some(-0.0),
        |i| third(i).value = Some(2f64.powi(360)),
        |i| third(i).value = Some(-2f64.powi(-360)),
    ];
    for (row, change) in changes.iter().enumerate() {
        checked(*change).unwrap_or_else(|refusal| panic!("row {row}: {refusal:?}"));
    }
}

#[test]
fn what_the_service_refuses_is_refused_in_its_words() {
    let rows: &[(Change, &str, &str)] = &[
        (
            |i| i.namespace = None,
            "MissingParameter",
            "The parameter Namespace is required.",
        ),
        (
            |i| i.namespace = Some(" ".into()),
            "MissingParameter",
            "The parameter Namespace is required.",
        ),
        (
            |i| i.namespace = text(256),
            "InvalidParameterValue",
            "The parameter Namespace must be shorter than 256 characters.",
        ),
        (
            |i| i.namespace = Some("AWS/EC2".into()),
            "InvalidParameterValue",
            "The value AWS/EC2 for parameter Namespace is invalid.",
        ),
        (
            |i| i.namespace = Some(":a".into()),
            "InvalidParameterValue",
            "The value :a for parameter Namespace is invalid.",
        ),
        (
            |i| i.namespace = Some("é".into()),
            "InvalidParameterValue",
            "The parameter Namespace must contain only ASCII",
        ),
        (
            |i| i.has_entities = true,
            "InvalidParameterValue",
            "The parameter EntityMetricData",
        ),
        (
            |i| i.data.clear(),
            "MissingParameter",
            "The parameter MetricData is required.",
        ),
        (
            |i| i.data = vec![i.data[0].clone(); 1001],
            "InvalidParameterValue",
            "The collection MetricData must not have a size greater than 1000.",
        ),
        (
            |i| third(i).name = None,
            "MissingParameter",
            "The parameter MetricData.member.3.MetricName is required.",
        ),
        (
            |i| third(i).name = text(256),
            "InvalidParameterValue",
            "The parameter MetricData.member.3.MetricName must be shorter than 256 characters.",
        ),
        (
            |i| third(i).name = Some("a\tb".into()),
            "InvalidParameterValue",
            "The parameter MetricData.member.3.MetricName must contain only ASCII",
        ),
        (
            |i| third(i).dimensions[1].value = Some(String::new()),
            "MissingParameter",
            "The parameter MetricData.member.3.Dimensions.member.2.Value is required.",
        ),
        (
            |i| third(i).dimensions[1].value = text(1025),
            "InvalidParameterValue",
            "The parameter MetricData.member.3.Dimensions.member.2.Value must be shorter than 1025 characters.",
        ),
        (
            |i| third(i).dimensions[1].name = text(256),
            "InvalidParameterValue",
            "The parameter MetricData.member.3.Dimensions.member.2.Name must be shorter than 256 characters.",
        ),
        (
            |i| third(i).dimensions[1].name = Some(":a".into()),
            "InvalidParameterValue",
            "The value :a for parameter MetricData.member.3.Dimensions.member.2.Name is invalid.",
        ),
        (
            |i| third(i).dimensions[1].name = Some("Queue".into()),
            "InvalidParameterValue",
            "The parameter MetricData.member.3.Dimensions.member.2.Name is the name of another",
        ),
        (
            |i| third(i).dimensions = (0..31).map(|n| dimension(&n.to_string(), "v")).collect(),
            "InvalidParameterValue",
            "The collection MetricData.member.3.Dimensions must not have a size greater than 30.",
        ),
        (
            |i| third(i).timestamp = Some((NOW - 14 * 86_400) as f64 - 0.001),
            "InvalidParameterValue",
            "The parameter MetricData.member.3.Timestamp must specify a time within the past two weeks.",
        ),
        (
            |i| third(i).timestamp = Some((NOW + 2 * 3600) as f64 + 0.001),
            "InvalidParameterValue",
            "The parameter MetricData.member.3.Timestamp must specify a time no more than two hours in the future.",
        ),
        (
            |i| third(i).timestamp = Some(f64::NAN),
            "InvalidParameterValue",
            "The value NaN for parameter MetricData.member.3.Timestamp is invalid.",
        ),
        (
            |i| third(i).unit = Some("count".into()),
            "InvalidParameterValue",
            "The parameter MetricData.member.3.Unit must be a value in the set [ Seconds, ",
        ),
        (
            |i| third(i).resolution = Some(30),
            "InvalidParameterValue",
            "The parameter MetricData.member.3.StorageResolution must be a value in the set [ 1, 60 ].",
        ),
        (
            |i| third(i).value = Some(f64::NAN),
            "InvalidParameterValue",
            "The value NaN for parameter MetricData.member.3.Value is invalid.",
        ),
        (
            |i| third(i).value = Some(f64::NEG_INFINITY),
            "InvalidParameterValue",
            "The value -Infinity for parameter MetricData.member.3.Value is invalid.",
        ),
        (
            |i| third(i).value = Some(2f64.powi(361)),
            "InvalidParameterValue",
            "for parameter MetricData.member.3.Value is invalid.",
        ),
        (
            |i| third(i).value = Some(-2f64.powi(-361)),
            "InvalidParameterValue",
            "for parameter MetricData.member.3.Value is invalid.",
        ),
        (
            |i| third(i).value = None,
            "InvalidParameterCombination",
            "At least one of the parameters MetricData.member.3.Value, ",
        ),
        (
            |i| third(i).values = Some(vec![1.0]),
            "InvalidParameterCombination",
            "The parameters MetricData.member.3.Value and MetricData.member.3.Values are mutually exclusive",
        ),
        (
            |i| third(i).statistics = Some(set(1.0, 2.0)),
            "InvalidParameterCombination",
            "The parameters MetricData.member.3.Value and MetricData.member.3.StatisticValues are mutually exclusive",
        ),
        (
            |i| third(i).counts = Some(vec![1.0]),
            "InvalidParameterCombination",
            "The parameter MetricData.member.3.Counts needs",
        ),
    ];
    for (row, (change, code, message)) in rows.iter().enumerate() {
        let refusal = checked(*change).unwrap_err();
        assert_eq!(refusal.code, *code, "row {row}: {refusal:?}");
        assert_eq!(refusal.status, 400);
        assert!(refusal.message.contains(message), "row {row}: {refusal:?}");
    }
}

#[test]
fn sets_of_values_have_rules_of_their_own() {
    let check = |values: Vec<f64>, counts: Option<Vec<f64>>| {
        let mut input = good();
        *third(&mut input) = Datum {
            name: text(1),
            values: Some(values),
            counts,
            ..Datum::default()
        };
        check(input, now())
    };
    let points = check(vec![1.0, 4.0], Some(vec![2.0, 1.0])).unwrap();
    assert_eq!(points[2].value(), 2.0);
    assert_eq!(check(vec![1.0, 4.0], None).unwrap()[2].value(), 2.5);
    for (values, counts, message) in [
        (vec![], None, "MetricData.member.3.Values is required"),
        (vec![1.0; 151], None, "size greater than 150"),
        (vec![1.0], Some(vec![1.0; 2]), "must be of the same size"),
        (
            vec![1.0, f64::NAN],
            None,
            "MetricData.member.3.Values.member.2 ",
        ),
        (
            vec![1.0],
            Some(vec![-1.0]),
            "MetricData.member.3.Counts.member.1 ",
        ),
    ] {
        let refusal = check(values, counts).unwrap_err();
        assert!(refusal.message.contains(message), "{refusal:?}");
    }
}

#[test]
fn statistic_sets_have_rules_of_their_own() {
    let check = |statistics: StatisticSet| {
        let mut input = good();
        third(&mut input).value = None;
        third(&mut input).statistics = Some(statistics);
        check(input, now())
    };
    assert_eq!(check(set(1.0, 2.0)).unwrap()[2].value(), 1.5);
    let refusal = check(set(2.0, 1.0)).unwrap_err();
    assert!(
        refusal.message.contains("Maximum must be greater"),
        "{refusal:?}"
    );
    let refusal = check(StatisticSet::default()).unwrap_err();
    assert_eq!(refusal.code, "MissingParameter");
    assert_eq!(refusal.message.lines().count(), 4);
    let mut none = set(1.0, 2.0);
    none.sample_count = Some(0.0);
    assert!(check(none).is_err());
}

#[test]
fn every_bad_member_is_named_on_a_line_of_its_own() {
    let refusal = checked(|input| {
        for datum in &mut input.data {
            datum.value = Some(f64::NAN);
        }
    });
    let message = refusal.unwrap_err().message;
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].contains("MetricData.member.2.Value"), "{message}");
}
