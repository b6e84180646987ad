//! The feed of what happens, in plain sentences for people.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use diagnostics::{one_line, redact, redacted_prefix};
use serde::Serialize;
use serde_json::{Value, json};

use crate::time::Moment;

/// Most entries that are remembered.
const HISTORY_MAX: usize = 500;
/// Most characters of a sentence.
const SENTENCE_MAX: usize = 300;
/// What stands behind a word with one of these in it is a secret.
const SECRETS: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "authorization",
    "credential",
];

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Activity {
    /// The number of this entry: 1, 2, 3…
    #[serde(skip)]
    pub number: u64,
    /// When.
    pub timestamp: Moment,
    /// What kind of thing: `container_started`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// To which container.
    pub container_id: Option<String>,
    /// What happened.
    pub message: String,
    /// More of it.
    pub details: Value,
}

/// Who is told of each entry. It is called in the order of the entries, so it must not wait.
pub trait ActivityObserver: Send + Sync + 'static {
    /// Something happened.
    fn happened(&self, activity: &Activity);
}

/// Writes the feed.
pub struct UserActivityLogger {
    observer: Arc<dyn ActivityObserver>,
    state: Mutex<(u64, VecDeque<Activity>)>,
}

impl fmt::Debug for UserActivityLogger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserActivityLogger").finish_non_exhaustive()
    }
}

impl UserActivityLogger {
    /// Nothing happened yet.
    pub fn new(observer: Arc<dyn ActivityObserver>) -> Self {
        let state = Mutex::default();
        Self { observer, state }
    }

    /// A container was created.
    pub fn log_container_created(&self, id: &str, name: &str) {
        self.log_user_activity(
            "container_created",
            Some(id),
            &format!("{name} created"),
            json!({}),
        );
    }

    /// A container was started.
    pub fn log_container_started(&self, id: &str, name: &str) {
        self.log_user_activity(
            "container_started",
            Some(id),
            &format!("{name} started"),
            json!({}),
        );
    }

    /// A container was stopped.
    pub fn log_container_stopped(&self, id: &str, name: &str) {
        self.log_user_activity(
            "container_stopped",
            Some(id),
            &format!("{name} stopped"),
            json!({}),
        );
    }

    /// A message was sent to a container: its command, not its data.
    pub fn log_container_message(&self, id: &str, message: &str) {
        let sentence = format!("message sent: {}", redacted_prefix(message));
        self.log_user_activity("container_message", Some(id), &sentence, json!({}));
    }

    /// Somebody in a container did something.
    pub fn log_actor_event(&self, id: &str, actor: &str, event: &str) {
        let (actor, event) = (shown(actor), shown(event));
        let sentence = format!("{actor} {event}");
        self.log_user_activity(
            "actor_event",
            Some(id),
            &sentence,
            json!({"actor": actor, "event": event}),
        );
    }

    /// Something happened.
    pub fn log_user_activity(&self, kind: &str, id: Option<&str>, message: &str, details: Value) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, history) = &mut *state;
        *number += 1;
        let activity = Activity {
            number: *number,
            timestamp: Moment::now(),
            kind: kind.to_owned(),
            container_id: id.map(str::to_owned),
            message: shown(message),
            details,
        };
        // Told with the lock held, so that the order is that of the numbers.
        self.observer.happened(&activity);
        history.push_back(activity);
        if history.len() > HISTORY_MAX {
            history.pop_front();
        }
    }

    /// The last entries, the oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<Activity> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1.iter().cloned().collect()
    }
}

/// Text from outside on one line, cut, without what looks like a secret: a second guard, for
/// what is a secret by its place is not put into a sentence.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(SENTENCE_MAX).collect();
    let line = redact(&one_line(&start));
    let mut hides_next = false;
    let words = line.split(' ').map(|word| {
        if std::mem::take(&mut hides_next) {
            // `Bearer` names the kind of what follows.
            hides_next = word.eq_ignore_ascii_case("bearer");
            return "***".to_owned();
        }
        let lower = word.to_lowercase();
        if !SECRETS.iter().any(|secret| lower.contains(secret)) {
            return word.to_owned();
        }
        match word.find(['=', ':']) {
            Some(at) if at + 1 < word.len() => format!("{}***", &word[..=at]),
            Some(_) => {
                hides_next = true;
                word.to_owned()
            }
            None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Feed(Mutex<Vec<(String, String)>>);

    impl ActivityObserver for Feed {
        fn happened(&self, activity: &Activity) {
            self.0
                .lock()
                .unwrap()
                .push((activity.kind.clone(), activity.message.clone()));
        }
    }

    #[test]
    fn feed_has_plain_sentences_in_order_and_a_bound() {
        let feed = Arc::new(Feed::default());
        let logger = UserActivityLogger::new(feed.clone());
        logger.log_container_created("1", "a");
        logger.log_container_started("1", "a");
        logger.log_container_message("1", "dump");
        logger.log_actor_event("1", "loader", "finished");
        logger.log_container_stopped("1", "a");
        let told = feed.0.lock().unwrap().clone();
        let sentences: Vec<_> = told.iter().map(|(_, message)| &**message).collect();
        assert_eq!(
            sentences,
            [
                "a created",
                "a started",
                "message sent: dump",
                "loader finished",
                "a stopped"
            ]
        );
        assert_eq!(told[0].0, "container_created");
        for _ in 0..HISTORY_MAX {
            logger.log_user_activity("x", None, "y", json!({}));
        }
        let history = logger.history();
        assert_eq!((history.len(), history[0].number), (HISTORY_MAX, 6));
    }

    #[test]
    fn secrets_and_control_characters_are_not_shown() {
        for (text, expected) in [
            (
                "login with password=hunter2 now",
                "login with password=*** now",
            ),
            ("API_KEY: abc", "API_KEY: ***"),
            ("Authorization: Bearer abc", "Authorization: *** ***"),
            ("secretary left", "secretary left"),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert!(!shown("https://me:hunter2@host/").contains("hunter2"));
        assert!(!shown("a\u{1b}[31m\nb").contains(['\u{1b}', '\n']));
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn what_is_shown_is_bounded_and_one_line(text in "(?s).{0,400}") {
            let shown = shown(&text);
            let breaks = shown.contains(['\n', '\u{1b}']);
            prop_assert!(shown.len() < 4000 && !breaks);
        }
    }
}
