//! What else may stand in the folder.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::umask;
use tempfile::TempDir;

use super::*;

const LOCK: &str = "outbox.lock";
const NEW: &str = "outbox.spool.new";

fn folder() -> (TempDir, impl Fn(&str) -> PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    (dir, move |name| path.join(name))
}

fn open_in(dir: &TempDir) -> Result<Opened, SpoolError> {
    Spool::open(dir.path(), points(10_000), now())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Has the file written anew, and tells how that went.
fn rewrite(opened: &mut Opened) -> Option<Event> {
    opened.spool.log = None;
    opened.spool.sync(&mut opened.outbox).event
}

#[test]
fn pipe_is_refused_and_never_waited_for() {
    for name in [disk::FILE, LOCK] {
        let (dir, path) = folder();
        mkfifoat(CWD, path(name), Mode::RUSR | Mode::WUSR).unwrap();
        let error = open_in(&dir).unwrap_err();
        let error = diagnostics::chain(&error);
        assert!(
            error.contains(name) && error.contains("no regular file"),
            "{error}"
        );
    }
    let (dir, path) = folder();
    let mut opened = open_in(&dir).unwrap();
    mkfifoat(CWD, path(NEW), Mode::RUSR | Mode::WUSR).unwrap();
    assert!(rewrite(&mut opened).is_none(), "it is in the way and goes");
    assert!(path(disk::FILE).is_file() && !path(NEW).exists());
}

#[test]
fn symbolic_link_is_not_followed() {
    for name in [disk::FILE, LOCK] {
        let (dir, path) = folder();
        std::fs::write(path("victim"), "precious").unwrap();
        symlink(path("victim"), path(name)).unwrap();
        let error = open_in(&dir).unwrap_err();
        let error = diagnostics::chain(&error);
        assert!(
            error.contains(name) && error.contains("no regular file"),
            "{error}"
        );
        assert_eq!(std::fs::read(path("victim")).unwrap(), b"precious");
    }
    let (dir, path) = folder();
    let mut opened = open_in(&dir).unwrap();
    std::fs::write(path("victim"), "precious").unwrap();
    symlink(path("victim"), path(NEW)).unwrap();
    assert!(rewrite(&mut opened).is_none());
    assert_eq!(std::fs::read(path("victim")).unwrap(), b"precious");
    assert!(!path(disk::FILE).is_symlink());
}

#[test]
fn folder_itself_may_be_a_symbolic_link() {
    let (dir, path) = folder();
    std::fs::create_dir(path("volume")).unwrap();
    symlink(path("volume"), path("spool")).unwrap();
    Spool::open(&path("spool"), points(1), now()).unwrap();
    assert!(path("volume").join(disk::FILE).is_file());
    drop(dir);
}

#[test]
fn files_are_for_this_user_alone_whatever_the_umask() {
    // It is one for the whole process; other tests that make files meanwhile get 0600, too,
    // which none of them minds.
    for mask in [0o000, 0o077] {
        let (dir, path) = folder();
        let before = umask(Mode::from_bits_truncate(mask));
        let opened = open_in(&dir);
        umask(before);
        let mut opened = opened.unwrap();
        assert!(rewrite(&mut opened).is_none());
        assert_eq!((mode(&path(disk::FILE)), mode(&path(LOCK))), (0o600, 0o600));
    }
}

#[test]
fn files_of_an_earlier_version_become_private() {
    let (dir, path) = folder();
    drop(open_in(&dir).unwrap());
    for name in [disk::FILE, LOCK] {
        let shared = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(path(name), shared).unwrap();
    }
    drop(open_in(&dir).unwrap());
    assert_eq!((mode(&path(disk::FILE)), mode(&path(LOCK))), (0o600, 0o600));
}

#[test]
fn file_with_a_second_name_is_read_but_not_written_on() {
    let (dir, path) = folder();
    let mut opened = open_in(&dir).unwrap();
    opened.outbox.push(tick(&metrics(), 0));
    opened.spool.sync(&mut opened.outbox);
    drop(opened);
    // As backups that share what did not change make it.
    std::fs::hard_link(path(disk::FILE), path("backup")).unwrap();
    let backup = std::fs::read(path("backup")).unwrap();
    let mut opened = open_in(&dir).unwrap();
    assert_eq!((opened.restored, opened.damage), (4, None));
    opened.outbox.push(tick(&metrics(), 1));
    assert!(opened.spool.sync(&mut opened.outbox).event.is_none());
    assert_eq!(std::fs::read(path("backup")).unwrap(), backup);
    drop(opened);
    assert_eq!(open_in(&dir).unwrap().restored, 8);
}
