//! The files that the SDK reads whole, looked at before it does.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use aws_credential_types::provider::error::CredentialsError;
use settings::Environment;

/// The largest that is read: profiles have a few hundred bytes each, tokens at most some
/// kilobytes.
const SIZE_MAX: u64 = 1024 * 1024;

/// Variables that name a file, and where it is if they are not set.
const FILES: &[(&str, Option<&str>)] = &[
    ("AWS_CONFIG_FILE", Some(".aws/config")),
    ("AWS_SHARED_CREDENTIALS_FILE", Some(".aws/credentials")),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", None),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", None),
];

/// What a profile names a token's file by.
const OF_PROFILE: &str = "web_identity_token_file";

/// The files that the environment leads the SDK to, and the tokens that its profiles name.
#[derive(Clone, Debug, Default)]
pub struct SdkFiles(Vec<(&'static str, PathBuf)>);

/// A file that the SDK must not read.
#[derive(Debug, thiserror::Error)]
#[error("{variable} leads to a file that has no end or more than {} MiB", SIZE_MAX >> 20)]
struct Endless {
    variable: &'static str,
}

impl SdkFiles {
    /// The files that these variables lead to.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        let home = environment.variable("HOME").map(Path::new);
        let files = FILES.iter().filter_map(|&(variable, default)| {
            let path = match environment.variable(variable) {
                Some(path) => match (path.strip_prefix("~/"), home) {
                    (Some(rest), Some(home)) => home.join(rest),
                    _ => path.into(),
                },
                None => home?.join(default?),
            };
            Some((variable, path))
        });
        Self(files.collect())
    }

    /// Whether each of them has an end soon. May block, as any look at a file.
    pub(crate) fn check(&self) -> Result<(), CredentialsError> {
        for (variable, path) in &self.0 {
            // What cannot be looked at the SDK reports better.
            if has_no_end(path) || tokens(path).iter().any(|token| has_no_end(token)) {
                return Err(CredentialsError::invalid_configuration(Endless {
                    variable,
                }));
            }
        }
        Ok(())
    }
}

/// The files of tokens that a file of profiles names. Read once more by the SDK, so a pipe is
/// left to it.
fn tokens(profiles: &Path) -> Vec<PathBuf> {
    let is_file = fs::metadata(profiles).is_ok_and(|file| file.is_file());
    let text = is_file.then(|| blocking_io::read(profiles, SIZE_MAX as usize));
    let Some(Ok(text)) = text else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&text);
    let values = text.lines().filter_map(|line| line.split_once('='));
    let tokens = values.filter(|(name, _)| name.trim() == OF_PROFILE);
    tokens.map(|(_, path)| path.trim().into()).collect()
}

fn has_no_end(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| !ends(path, &file).unwrap_or(true))
}

fn ends(path: &Path, file: &Metadata) -> io::Result<bool> {
    if file.file_type().is_char_device() || file.file_type().is_block_device() {
        // `/dev/null` stands for no file.
        return Ok(File::open(path)?.read(&mut [0])? == 0);
    }
    Ok(file.len() <= SIZE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(variable: &str, path: &str) -> Result<(), CredentialsError> {
        let environment = [(variable.into(), path.into())].into_iter().collect();
        SdkFiles::new(&environment).check()
    }

    #[test]
    fn file_without_end_is_refused_and_named_by_its_variable() {
        let large = tempfile::NamedTempFile::new().unwrap();
        large.as_file().set_len(SIZE_MAX + 1).unwrap();
        for path in ["/dev/zero", large.path().to_str().unwrap()] {
            for (variable, _) in FILES {
                let error = checked(variable, path).unwrap_err();
                let chain = diagnostics::chain(&error);
                assert!(chain.contains(variable), "{chain}");
            }
        }
    }

    #[test]
    fn token_without_end_that_a_profile_names_is_refused() {
        let profiles = tempfile::NamedTempFile::new().unwrap();
        let path = profiles.path().to_str().unwrap();
        for (token, is_good) in [("/dev/zero", false), ("/dev/null", true)] {
            let text = format!("[default]\nrole_arn = x\n {OF_PROFILE} = {token} \n");
            fs::write(profiles.path(), text).unwrap();
            assert_eq!(checked("AWS_CONFIG_FILE", path).is_ok(), is_good, "{token}");
        }
    }

    #[test]
    fn files_that_end_or_are_not_there_are_left_to_the_sdk() {
        let largest = tempfile::NamedTempFile::new().unwrap();
        largest.as_file().set_len(SIZE_MAX).unwrap();
        for path in [
            "/dev/null",
            "/nothing/here",
            "/",
            largest.path().to_str().unwrap(),
        ] {
            assert!(checked("AWS_CONFIG_FILE", path).is_ok(), "{path}");
        }
    }

    #[test]
    fn files_in_the_home_folder_are_found_as_the_sdk_finds_them() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        let large = File::create(home.path().join(".aws/credentials")).unwrap();
        large.set_len(SIZE_MAX + 1).unwrap();
        let home = home.path().to_str().unwrap();
        let error = checked("HOME", home).unwrap_err();
        assert!(diagnostics::chain(&error).contains("AWS_SHARED_CREDENTIALS_FILE"));
        let variables = [("HOME", home), ("AWS_CONFIG_FILE", "~/.aws/credentials")];
        let environment = variables.map(|(name, value)| (name.into(), value.into()));
        let error = SdkFiles::new(&environment.into_iter().collect()).check();
        assert!(diagnostics::chain(&error.unwrap_err()).contains("AWS_CONFIG_FILE"));
    }
}
