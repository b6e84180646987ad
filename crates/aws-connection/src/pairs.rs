//! Variables of the SDK that mean something only together.

use settings::{Diagnostics, Environment};

const PAIRS: &[[&str; 2]] = &[
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"],
];

/// Warns of each that stands alone. The SDK passes over it and looks elsewhere, and what it
/// says when there is nothing does not name the variable.
pub(crate) fn check(environment: &Environment, findings: &mut Diagnostics) {
    for [first, second] in PAIRS {
        let [has_first, has_second] = [first, second].map(|name| environment.variable(name));
        let half = match (has_first, has_second) {
            (Some(_), None) => Some((first, second)),
            (None, Some(_)) => Some((second, first)),
            _ => None,
        };
        if let Some((set, missing)) = half {
            let message = format!("is not set, and {set} has no effect without it");
            findings.warning(missing, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned_of(set: &[&str]) -> Vec<String> {
        let variables = set.iter().map(|name| (name.into(), "x".into()));
        let mut findings = Diagnostics::default();
        check(&variables.collect(), &mut findings);
        let warnings = findings.warnings.iter();
        warnings.map(|warning| warning.place.to_string()).collect()
    }

    #[test]
    fn half_a_pair_draws_a_warning_that_names_the_other() {
        for pair in PAIRS {
            let [first, second] = *pair;
            assert_eq!(warned_of(&[first]), [second]);
            assert_eq!(warned_of(&[second]), [first]);
            assert!(warned_of(pair).is_empty());
        }
        assert!(warned_of(&[]).is_empty());
    }
}
