//! What was received of each process of a flow.

use std::collections::VecDeque;

/// Most sessions that are remembered of a container. A process has one, so older ones belong
/// to processes that ended.
const SESSIONS_MAX: usize = 16;

/// The sessions of a container, the newest last.
#[derive(Debug, Default)]
pub(super) struct Sessions(VecDeque<(String, u64)>);

impl Sessions {
    /// The highest number received in a session; one that is not known begins with 0.
    pub(super) fn open(&mut self, session: &str) -> u64 {
        let at = self.0.iter().position(|(known, _)| known == session);
        let (session, received) = at
            .and_then(|at| self.0.remove(at))
            .unwrap_or_else(|| (session.to_owned(), 0));
        while self.0.len() >= SESSIONS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((session, received));
        received
    }

    /// Takes a number in the newest session; false for a repeat.
    pub(super) fn take(&mut self, seq: u64) -> bool {
        match self.0.back_mut() {
            Some((_, received)) if *received < seq => {
                *received = seq;
                true
            }
            _ => false,
        }
    }

    /// The highest number received in the newest session.
    pub(super) fn received(&self) -> u64 {
        self.0.back().map_or(0, |(_, received)| *received)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn session_is_taken_up_where_it_was_and_an_unknown_one_at_its_first_number() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.open("a"), 0);
        assert!(sessions.take(18));
        assert!(!sessions.take(18) && !sessions.take(3));
        assert_eq!(sessions.open("b"), 0);
        assert!(sessions.take(1));
        assert_eq!(sessions.open("a"), 18);
        assert!(sessions.take(19));
        for other in 0..SESSIONS_MAX {
            sessions.open(&other.to_string());
        }
        assert_eq!((sessions.open("a"), sessions.0.len()), (0, SESSIONS_MAX));
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn each_number_passes_once_and_in_order(numbers in prop::collection::vec(1u64..50, 0..100)) {
            let mut sessions = Sessions::default();
            sessions.open("a");
            let passed: Vec<_> = numbers.into_iter().filter(|seq| sessions.take(*seq)).collect();
            prop_assert!(passed.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(sessions.received(), passed.last().copied().unwrap_or(0));
        }
    }
}
