use proptest::prelude::*;
use test_support::cases;

use super::*;

#[test]
fn namespace_keeps_to_the_services_rules() {
    for good in ["CustomMetrics", "My App/Web_1.2#x", &"n".repeat(255), "AWS"] {
        assert_eq!(good.parse::<Namespace>().unwrap().as_str(), good);
    }
    for bad in ["", " ", ":a", "AWS/EC2", "a\tb", "é", &"n".repeat(256)] {
        assert!(bad.parse::<Namespace>().is_err(), "{bad:?}");
    }
}

#[test]
fn dimensions_are_read_in_order_and_keep_equal_signs_in_values() {
    let dimensions: Dimensions = "A=1, B = x=y ".parse().unwrap();
    assert_eq!(dimensions.to_string(), "A=1,B=x=y");
    assert!("".parse::<Dimensions>().unwrap().is_empty());
}

#[test]
fn credentials_in_a_wrong_text_are_not_shown() {
    let secret = "http://me:Sw0rdf1sh@host";
    let twice = format!("{secret}=1,{secret}=2");
    for error in [
        secret.parse::<Dimensions>().unwrap_err(),
        twice.parse::<Dimensions>().unwrap_err(),
        secret.parse::<Resolution>().unwrap_err(),
        secret.parse::<Unit>().unwrap_err(),
    ] {
        assert!(!error.to_string().contains("Sw0rdf1sh"), "{error}");
    }
}

#[test]
fn dimensions_refuse_what_the_service_refuses() {
    let many = (0..31)
        .map(|i| format!("D{i}=v"))
        .collect::<Vec<_>>()
        .join(",");
    let long_name = format!("{}=v", "n".repeat(256));
    let long_value = format!("n={}", "v".repeat(1025));
    for bad in [
        "A",
        "A=",
        "=1",
        ":A=1",
        "A=1,A=2",
        "A=1,",
        "A=\u{7f}",
        &many,
        &long_name,
        &long_value,
    ] {
        assert!(bad.parse::<Dimensions>().is_err(), "{bad:?}");
    }
}

#[test]
fn values_keep_to_the_services_range() {
    let limit = 2f64.powi(360);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, limit, -limit] {
        assert!(Value::try_from(bad).is_err(), "{bad}");
    }
    let largest = f64::from_bits(limit.to_bits() - 1);
    assert_eq!(Value::try_from(largest).unwrap().get(), largest);
    assert_eq!(Value::try_from(2f64.powi(-360)).unwrap().get(), 0.0);
    assert_eq!(
        Value::try_from(2f64.powi(-359)).unwrap().get(),
        2f64.powi(-359)
    );
}

/// What dimensions, and what is wrong with them, are made of.
const PARTS: &[&str] = &[
    "A=1,",
    "B=x=y",
    ",",
    "=",
    ":",
    " ",
    "é",
    "\u{7f}",
    "AWS/",
    "60",
    "Count",
    "C=1,D=1,E=1,F=1,G=1,H=1,",
    "I=1,J=1,K=1,L=1,M=1,N=1,O=1,P=1,Q=1,R=1,S=1,T=1,U=1,V=1,W=1,",
];

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn no_text_makes_a_reader_panic(
        text in prop_oneof![
            "(?s).{0,20}",
            prop::collection::vec(prop::sample::select(PARTS), 0..12).prop_map(|parts| parts.concat()),
        ],
    ) {
        let _ = text.parse::<Namespace>();
        let _ = text.parse::<MetricName>();
        let _ = text.parse::<Resolution>();
        let _ = text.parse::<Unit>();
        let _ = Dimension::new(&text, &text);
        if let Ok(dimensions) = text.parse::<Dimensions>() {
            let read_again = dimensions.to_string().parse();
            prop_assert!(read_again == Ok(dimensions) || text.contains(','));
        }
    }

    #[test]
    fn every_number_is_refused_or_in_range(bits in any::<u64>()) {
        if let Ok(value) = Value::try_from(f64::from_bits(bits)) {
            let magnitude = value.get().abs();
            prop_assert!(magnitude < 2f64.powi(360));
            prop_assert!(magnitude == 0.0 || magnitude >= 2f64.powi(-359));
        }
    }
}
