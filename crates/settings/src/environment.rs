//! The variables of the process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use crate::Setting;

/// The variables of the process; an empty one counts as unset.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Names of variables whose value is not UTF-8.
    unreadable: Vec<String>,
}

impl Environment {
    /// The value of a setting, white space around it aside.
    #[must_use]
    pub fn get(&self, setting: Setting) -> Option<&str> {
        self.variable(setting.name)
    }

    /// The value of any variable, white space around it aside.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// The value of any variable as it stands, for one in which lines are counted.
    #[must_use]
    pub fn whole(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        (!value.trim().is_empty()).then_some(value)
    }

    /// The value of a variable in upper case or, as some HTTP clients take it, in lower.
    #[must_use]
    pub fn either_case(&self, name: &str) -> Option<&str> {
        self.variable(name)
            .or_else(|| self.variable(&name.to_ascii_lowercase()))
    }

    /// The names of all variables that are text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The names of the variables that are not text.
    pub fn unreadable(&self) -> impl Iterator<Item = &str> {
        self.unreadable.iter().map(String::as_str)
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => {
                    environment.variables.insert(name, value);
                }
                Err(_) => environment.unreadable.push(name),
            }
        }
        environment
    }
}

impl fmt::Debug for Environment {
    /// Names alone: the values hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
