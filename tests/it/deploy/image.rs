//! What the `Dockerfile` declares.

use serde_json::Value;

use super::file;

/// The settings of the image.
pub(super) struct Image {
    /// Joined lines, an instruction each.
    instructions: Vec<String>,
}

impl Image {
    pub(super) fn read() -> Self {
        let text = file("Dockerfile").replace("\\\n", " ");
        let lines = text.lines().map(str::trim);
        let instructions = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self {
            instructions: instructions.map(str::to_owned).collect(),
        }
    }

    /// `65532:65532`.
    pub(super) fn user(&self) -> &str {
        self.rest("USER ")
    }

    /// The number of the user, which is the group's as well.
    pub(super) fn id(&self) -> u64 {
        let (user, group) = self.user().split_once(':').unwrap();
        assert_eq!(user, group);
        user.parse().unwrap()
    }

    /// What is run.
    pub(super) fn program(&self) -> String {
        let words: Vec<String> = serde_json::from_str(self.rest("ENTRYPOINT ")).unwrap();
        assert_eq!(words.len(), 1);
        words[0].clone()
    }

    /// The folder that belongs to the user.
    pub(super) fn spool(&self) -> &str {
        let chown = format!("--chown={} ", self.user());
        let copy = self.instructions.iter().find(|line| line.contains(&chown));
        let copy = copy.expect("a COPY to a folder that belongs to the user");
        copy.split_whitespace().last().unwrap()
    }

    /// The default of a build argument.
    pub(super) fn argument(&self, name: &str) -> &str {
        self.rest(&format!("ARG {name}="))
    }

    /// The words of the health check's command, `CMD` before them.
    pub(super) fn health_command(&self) -> Value {
        let (_, words) = self.rest("HEALTHCHECK ").split_once("CMD ").unwrap();
        let words: Vec<String> = serde_json::from_str(words.trim()).unwrap();
        ["CMD".to_owned()].into_iter().chain(words).collect()
    }

    /// An option of the health check.
    pub(super) fn health_option(&self, name: &str) -> &str {
        let mut words = self.rest("HEALTHCHECK ").split_whitespace();
        let found = words.find_map(|word| word.strip_prefix(&format!("--{name}=")));
        found.unwrap_or_else(|| panic!("HEALTHCHECK has no --{name}"))
    }

    fn rest(&self, instruction: &str) -> &str {
        let mut lines = self.instructions.iter();
        let rest = lines.find_map(|line| line.strip_prefix(instruction));
        rest.unwrap_or_else(|| panic!("the Dockerfile has no {instruction}"))
    }
}
