//! What was told in a room lately: each event with its number, within a bound.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::value::RawValue;

/// An event as it was told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) event: &'static str,
    pub(crate) data: Arc<RawValue>,
}

/// The history of a room.
#[derive(Debug)]
pub(crate) struct Room {
    seq: u64,
    bytes: usize,
    bytes_max: usize,
    told: VecDeque<Told>,
}

/// What an event costs beside its text.
const COST: usize = 96;

impl Room {
    /// A room in which nothing was told; it remembers so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            seq: 0,
            bytes: 0,
            bytes_max,
            told: VecDeque::new(),
        }
    }

    /// Tells an event that is made with its number.
    pub(crate) fn tell(
        &mut self,
        event: &'static str,
        make: impl FnOnce(u64) -> Box<RawValue>,
    ) -> Told {
        self.seq += 1;
        let told = Told {
            event,
            data: make(self.seq).into(),
        };
        self.bytes += cost(&told);
        self.told.push_back(told.clone());
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.told.pop_front() else {
                break;
            };
            self.bytes -= cost(&oldest);
        }
        told
    }

    /// What was told behind a number; `None` if some of it is forgotten, or was never told.
    pub(crate) fn since(&self, last: u64) -> Option<Vec<Told>> {
        let known = self.seq - self.told.len() as u64;
        if last < known || last > self.seq {
            return None;
        }
        let skip = usize::try_from(last - known).ok()?;
        Some(self.told.iter().skip(skip).cloned().collect())
    }
}

fn cost(told: &Told) -> usize {
    told.data.get().len() + COST
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::raw;

    #[test]
    fn what_is_forgotten_is_not_called_complete() {
        let mut room = Room::new(3 * (COST + 1));
        assert!(room.since(0).unwrap().is_empty());
        assert!(room.since(1).is_none());
        for number in 1..=5u64 {
            assert_eq!(
                room.tell("e", |seq| raw(&seq)).data.get(),
                number.to_string()
            );
        }
        assert!(room.since(1).is_none());
        let told: Vec<_> = room
            .since(2)
            .unwrap()
            .iter()
            .map(|told| told.data.get().to_owned())
            .collect();
        assert_eq!(told, ["3", "4", "5"]);
        assert!(room.since(5).unwrap().is_empty() && room.since(6).is_none());
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn what_is_given_is_all_that_came_behind_and_within_the_bound(
            sizes in prop::collection::vec(0usize..300, 0..60), last in 0u64..70,
        ) {
            let mut room = Room::new(2000);
            for size in &sizes {
                room.tell("e", |seq| raw(&(seq, "x".repeat(*size))));
            }
            prop_assert!(room.told.iter().map(cost).sum::<usize>() == room.bytes && room.bytes <= 2000);
            if let Some(told) = room.since(last) {
                let number = |told: &Told| serde_json::from_str::<(u64, String)>(told.data.get()).unwrap().0;
                let numbers: Vec<_> = told.iter().map(number).collect();
                prop_assert_eq!(numbers, (last + 1..=sizes.len() as u64).collect::<Vec<_>>());
            }
        }
    }
}
