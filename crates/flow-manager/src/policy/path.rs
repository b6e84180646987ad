//! Paths of the host that a client names: below a root that is allowed, without a symbolic link
//! on the way.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

/// Why a path is refused. It holds nothing of what is on the disk beyond the roots.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum PathError {
    #[error("no absolute path")]
    Relative,
    #[error("`..` and `.` are not allowed")]
    Dots,
    #[error("not below a folder that is allowed")]
    Outside,
    #[error("holds or is in what no container may have")]
    Forbidden,
    #[error("a symbolic link is on its way")]
    Link,
    #[error("neither a folder nor a regular file")]
    Kind,
    #[error("no folder")]
    NoFolder,
    #[error("not there, or cannot be looked at")]
    Look { source: io::Error },
}

/// Most parts of a path.
const PARTS_MAX: usize = 128;

/// The path if it is a folder or file at or below one of the roots, no part of it below the
/// root is a symbolic link, and it neither holds nor is in a forbidden place. Works on the
/// disk.
///
/// The engine looks at the path again when it mounts it: who can write in a root can put a
/// link there in between. So what a container may write is no root for others.
///
/// # Errors
///
/// [`PathError`].
pub fn resolve_below(
    path: &str,
    roots: &[PathBuf],
    forbidden: &[PathBuf],
) -> Result<PathBuf, PathError> {
    let given = Path::new(path);
    if !given.is_absolute() || path.contains('\0') || path.len() > 4096 {
        return Err(PathError::Relative);
    }
    // `Path` leaves out `.` in the middle, which is harmless, but what is written is meant.
    if path.split('/').any(|part| part == ".." || part == ".") {
        return Err(PathError::Dots);
    }
    let parts: Vec<_> = given.components().collect();
    if parts.len() > PARTS_MAX {
        return Err(PathError::Outside);
    }
    let clean: PathBuf = parts.iter().collect();
    // The root itself is the operator's: it may be a link, and is followed.
    let root = roots.iter().find(|root| clean.starts_with(root));
    let root = root.ok_or(PathError::Outside)?;
    let mut real = fs::canonicalize(root).map_err(|source| PathError::Look { source })?;
    let below = clean.strip_prefix(root).map_err(|_| PathError::Outside)?;
    for part in below.components() {
        let Component::Normal(name) = part else {
            return Err(PathError::Dots);
        };
        real.push(name);
        let metadata = fs::symlink_metadata(&real).map_err(|source| PathError::Look { source })?;
        if metadata.is_symlink() {
            return Err(PathError::Link);
        }
    }
    let metadata = fs::symlink_metadata(&real).map_err(|source| PathError::Look { source })?;
    let overlaps = |other: &PathBuf| {
        let other = fs::canonicalize(other).unwrap_or_else(|_| other.clone());
        real.starts_with(&other) || other.starts_with(&real)
    };
    if forbidden.iter().any(overlaps) {
        return Err(PathError::Forbidden);
    }
    match metadata.is_dir() || metadata.is_file() {
        true => Ok(real),
        false => Err(PathError::Kind),
    }
}

/// The folder that [`resolve_below`] finds, opened: what becomes of its path later is of no
/// concern. No part of the path is followed if it is a link by now.
///
/// # Errors
///
/// [`PathError`].
pub fn open_below(
    path: &str,
    roots: &[PathBuf],
    forbidden: &[PathBuf],
) -> Result<OwnedFd, PathError> {
    let real = resolve_below(path, roots, forbidden)?;
    let mut parts = real.components().peekable();
    let folder = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut opened: Option<OwnedFd> = None;
    while let Some(part) = parts.next() {
        // On the way it is enough to be let through.
        let access = match parts.peek() {
            Some(_) => OFlags::PATH,
            None => OFlags::RDONLY,
        };
        let next = match &opened {
            Some(opened) => openat(opened, part.as_os_str(), folder | access, Mode::empty()),
            None => openat(CWD, part.as_os_str(), folder | access, Mode::empty()),
        };
        opened = Some(next.map_err(|error| match error {
            rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP => PathError::NoFolder,
            error => PathError::Look {
                source: error.into(),
            },
        })?);
    }
    opened.ok_or(PathError::Relative)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_is_really_below_a_root_is_found() {
        let place = tempfile::tempdir().unwrap();
        let place = fs::canonicalize(place.path()).unwrap();
        let root = place.join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("state")).unwrap();
        fs::create_dir(place.join("rooter")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        symlink("/", root.join("out")).unwrap();
        symlink("a", root.join("in")).unwrap();
        let _socket = UnixListener::bind(root.join("socket")).unwrap();
        let _docker = UnixListener::bind(root.join("a/docker.sock")).unwrap();
        let forbidden = [root.join("state"), root.join("a/docker.sock")];
        let roots = [root.clone()];
        let find = |path: &str| {
            let path = format!("{}{path}", place.display());
            resolve_below(&path, &roots, &forbidden).map_err(|error| error.to_string())
        };
        assert_eq!(find("/root/a/b/"), Ok(root.join("a/b")));
        assert_eq!(find("//root/file"), Ok(root.join("file")));
        let open = |path: &str| open_below(&format!("{}{path}", root.display()), &roots, &[]);
        assert!(open("/a/b").is_ok());
        assert!(matches!(open("/file"), Err(PathError::NoFolder)));
        for (path, error) in [
            ("/root/../root/a", PathError::Dots),
            ("/root/./a", PathError::Dots),
            ("/rooter", PathError::Outside),
            ("", PathError::Outside),
            ("/root/out", PathError::Link),
            ("/root/out/etc", PathError::Link),
            ("/root/in", PathError::Link),
            ("/root/socket", PathError::Kind),
            ("/root/state", PathError::Forbidden),
            ("/root", PathError::Forbidden),
            ("/root/a", PathError::Forbidden),
            ("/root/a/docker.sock", PathError::Forbidden),
        ] {
            assert_eq!(find(path), Err(error.to_string()), "{path}");
        }
        assert!(matches!(find("/root/none"), Err(error) if error.contains("not there")));
        for path in ["/", "relative", "", "/etc/passwd", "/proc/self/root"] {
            assert!(resolve_below(path, &roots, &forbidden).is_err(), "{path}");
        }
        assert!(matches!(
            resolve_below("/etc", &[], &[]),
            Err(PathError::Outside)
        ));
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn what_is_found_is_below_the_root(path in "(/|\\.|\\.\\.|a|etc|tmp){0,12}") {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("a")).unwrap();
            let real = fs::canonicalize(root.path()).unwrap();
            let roots = [root.path().to_owned()];
            for path in [path.clone(), format!("{}/{path}", root.path().display())] {
                if let Ok(found) = resolve_below(&path, &roots, &[]) {
                    prop_assert!(found.starts_with(&real));
                }
            }
        }
    }
}
