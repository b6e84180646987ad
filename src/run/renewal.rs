//! The scheduled of new entries: what did not change keeps its state.

use std::collections::HashMap;
use std::sync::Arc;

use super::scheduled_metric::ScheduledMetric;
use crate::config::Entry;

/// A scheduled for each entry: the old one of the same entry, or a new one.
pub(super) fn renewed(
    old: &[Arc<ScheduledMetric>],
    entries: Vec<Entry>,
) -> Vec<Arc<ScheduledMetric>> {
    let mut same = HashMap::<_, Vec<_>>::new();
    // Of equals, the first is taken first.
    for scheduled in old.iter().rev() {
        same.entry(scheduled.entry.identity())
            .or_default()
            .push(scheduled);
    }
    let kept = entries
        .iter()
        .map(|entry| same.get_mut(&entry.identity()).and_then(Vec::pop));
    let kept: Vec<_> = kept.collect();
    let scheduled = entries.into_iter().zip(kept).map(|(entry, kept)| {
        Arc::new(match kept {
            Some(scheduled) => scheduled.renewed(entry),
            None => ScheduledMetric::new(entry),
        })
    });
    collected(scheduled)
}

/// A scheduled for each entry.
pub(super) fn new(entries: Vec<Entry>) -> Vec<Arc<ScheduledMetric>> {
    let scheduled = entries
        .into_iter()
        .map(|entry| Arc::new(ScheduledMetric::new(entry)));
    collected(scheduled)
}

/// They may be collected where the entries were, which took twelve times the room.
fn collected(scheduled: impl Iterator<Item = Arc<ScheduledMetric>>) -> Vec<Arc<ScheduledMetric>> {
    let mut scheduled: Vec<_> = scheduled.collect();
    scheduled.shrink_to_fit();
    scheduled
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::config::crontab::{Defaults, read};

    fn entries(lines: impl Iterator<Item = String>) -> Vec<Entry> {
        let text: String = lines.collect();
        let (entries, found) = read("crontab".as_ref(), &text, &Defaults::default());
        assert!(found.problems.is_empty(), "{found:?}");
        entries
    }

    fn of_values(values: impl Iterator<Item = usize>) -> Vec<Entry> {
        entries(values.map(|value| format!("* * * * * name=A value={value}\n")))
    }

    #[test]
    fn same_entry_keeps_its_source_wherever_it_moves_and_another_does_not() {
        let old = new(of_values([1, 2, 2, 3].into_iter()));
        let renewed = renewed(&old, of_values([2, 4, 2, 2, 1].into_iter()));
        let kept = renewed.iter().map(|scheduled| {
            let source = &scheduled.entry.source;
            old.iter()
                .position(|old| Arc::ptr_eq(&old.entry.source, source))
        });
        let kept: Vec<_> = kept.collect();
        assert_eq!(kept, [Some(1), None, Some(2), None, Some(0)]);
    }

    /// Compared each with each, so many take minutes.
    #[test]
    fn entries_of_one_metric_take_time_by_their_number_alone() {
        const COUNT: usize = 10_000;
        let old = new(of_values(0..COUNT));
        let entries = of_values((0..COUNT).rev());
        let began = Instant::now();
        let renewed = renewed(&old, entries);
        let took = began.elapsed();
        assert_eq!(renewed.len(), COUNT);
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
}
