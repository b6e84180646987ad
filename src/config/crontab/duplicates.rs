//! Lines that publish what another publishes, too. CloudWatch adds their values up, which is
//! seldom meant.

use std::collections::HashMap;

use cloudwatch_metric::{Dimension, MetricName, Namespace, Unit};
use cron_schedule::Schedule;
use metric_source::{SourceText, Uses};

use crate::config::Entry;

/// What makes two lines one to CloudWatch. Where the source adds dimensions, the same source
/// is needed, too.
type Published<'a> = (
    &'a Namespace,
    &'a MetricName,
    Unit,
    Vec<&'a Dimension>,
    &'a Schedule,
    Option<&'a SourceText>,
);

/// The lines that repeat one above, each with the first that it repeats.
pub(super) fn duplicates(entries: &[Entry]) -> Vec<(usize, usize)> {
    let mut first = HashMap::new();
    let lines = entries
        .iter()
        .filter_map(|entry| Some((entry.line?, published(entry))));
    lines
        .filter_map(|(line, published)| {
            let first = *first.entry(published).or_insert(line);
            (first != line).then_some((line, first))
        })
        .collect()
}

fn published(entry: &Entry) -> Published<'_> {
    let metric = &entry.metric;
    let mut dimensions: Vec<_> = metric.dimensions.iter().collect();
    dimensions.sort_unstable_by_key(|dimension| dimension.name());
    let adds_dimensions = Uses::of(entry.source_text.as_str()).adds_dimensions;
    (
        &metric.namespace,
        &metric.name,
        metric.unit,
        dimensions,
        &entry.schedule,
        adds_dimensions.then_some(&entry.source_text),
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Defaults, read};
    use super::*;

    #[test]
    fn lines_of_one_metric_and_schedule_are_found() {
        let text = "* * * * * name=A value=1 dimensions=X=1,Y=2\n\
            * * * * * name=A value=2\n\
            * * * * * name=A value=3 dimensions=Y=2,X=1\n\
            */2 * * * * name=A value=4\n\
            * * * * * name=A value=5 namespace=Other\n\
            * * * * * name=A value=6 unit=Bytes\n\
            *  *  *  *  *  name=A value=7\n\
            * * * * * name=P value=prometheus:http://h/#a\n\
            * * * * * name=P value=prometheus:http://h/#b\n\
            * * * * * name=P value=prometheus:http://h/#a\n\
            * * * * * name=E value=ecs:cpu\n\
            * * * * * name=E value=1\n";
        let options = metric_source::Options {
            ecs_metadata_uri: Some("http://h".to_owned()),
            ..Default::default()
        };
        let defaults = Defaults {
            options,
            ..Defaults::default()
        };
        let (entries, findings) = read("crontab".as_ref(), text, &defaults);
        assert_eq!(findings.problems, []);
        assert_eq!(duplicates(&entries), [(3, 1), (7, 2), (10, 8)]);
        let warning = findings.warnings[0].to_string();
        assert!(
            warning.starts_with("crontab:3:1: line 1 publishes the same metric"),
            "{warning}"
        );
    }
}
