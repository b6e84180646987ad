use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;
use tar::{Builder, Header};

use super::*;

/// An entry whose name is what it says, however wicked: the crate `tar` would refuse to write it.
fn entry(tar: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, link: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o4755);
    header.set_mtime(1_000_000_000);
    header.set_size(content.len() as u64);
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

fn unpack_all(entries: &[(EntryType, &str, &str)], target: &Path) -> Result<(), DockerClientError> {
    let mut tar = Builder::new(Vec::new());
    for (kind, name, link) in entries {
        let content: &[u8] = if kind.is_file() { b"content" } else { b"" };
        entry(&mut tar, *kind, name, link, content);
    }
    unpack(
        &*tar.into_inner().unwrap(),
        target,
        ArchiveLimits::default(),
    )
}

use EntryType::{Char, Directory, Link, Regular, Symlink};

#[test]
fn files_folders_and_links_are_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new/target");
    let entries = [
        (Directory, "./", ""),
        (Directory, "a/", ""),
        (Regular, "a/f", ""),
        (Symlink, "a/s", "../b/g"),
        (Regular, "b/g", ""),
        (Link, "h", "a/f"),
    ];
    unpack_all(&entries, &target).unwrap();
    assert_eq!(fs::read(target.join("a/s")).unwrap(), b"content");
    assert_eq!(fs::read(target.join("h")).unwrap(), b"content");
    let metadata = fs::metadata(target.join("a/f")).unwrap();
    assert_eq!(
        metadata.permissions().mode() & 0o7777,
        0o755,
        "no set-user-id"
    );
    assert_eq!(
        metadata.modified().unwrap(),
        UNIX_EPOCH + Duration::from_secs(1_000_000_000)
    );
    // Again: what is there is replaced.
    unpack_all(&entries, &target).unwrap();
}

#[test]
fn nothing_leaves_the_target() {
    for entries in [
        &[(Regular, "../x", "")][..],
        &[(Regular, "a/../../x", "")],
        &[(Regular, "/x", "")],
        &[(Symlink, "s", "/etc/passwd")],
        &[(Symlink, "s", "../x")],
        &[(Symlink, "a/s", "../../x")],
        // Up, and up again from where the first link leads.
        &[(Symlink, "a/l", ".."), (Symlink, "a/m", "l/..")],
        // Through a link that was there before, or in the archive.
        &[(Regular, "old/x", "")],
        &[(Symlink, "l", "."), (Regular, "l/x", "")],
        &[(Directory, "old", "")],
        &[(Link, "h", "../secret")],
        &[(Link, "h", "old/secret")],
        &[(Link, "h", "nothing")],
        &[(Symlink, "s", "s"), (Link, "h", "s")],
        &[(Char, "null", "")],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        symlink("..", target.join("old")).unwrap();
        let error = unpack_all(entries, &target).unwrap_err();
        assert!(
            matches!(error, DockerClientError::ArchiveEntry { .. }),
            "{entries:?}: {error}"
        );
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "{entries:?}"
        );
    }
}

#[test]
fn a_link_in_a_file_s_place_is_replaced_and_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    fs::create_dir(&target).unwrap();
    fs::write(folder.path().join("secret"), "s").unwrap();
    symlink("../secret", target.join("f")).unwrap();
    unpack_all(&[(Regular, "f", "")], &target).unwrap();
    assert_eq!(fs::read(folder.path().join("secret")).unwrap(), b"s");
    assert_eq!(fs::read(target.join("f")).unwrap(), b"content");
}

#[test]
fn limits_hold() {
    let folder = tempfile::tempdir().unwrap();
    let mut tar = Builder::new(Vec::new());
    for name in ["a", "b", "c"] {
        entry(&mut tar, Regular, name, "", &[0; 1000]);
    }
    let tar = tar.into_inner().unwrap();
    let limits = |bytes, entries| ArchiveLimits { bytes, entries };
    let error = unpack(&*tar, folder.path(), limits(2999, 9)).unwrap_err();
    assert!(matches!(
        error,
        DockerClientError::TooLarge { limit: 2999, .. }
    ));
    assert!(unpack(&*tar, folder.path(), limits(3000, 2)).is_err());
    assert!(unpack(&*tar, folder.path(), limits(3000, 3)).is_ok());
}

#[test]
fn an_archive_that_is_cut_off_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let mut tar = Builder::new(Vec::new());
    entry(&mut tar, Regular, "a", "", &[7; 1000]);
    let tar = tar.into_inner().unwrap();
    for end in [1, 511, 600] {
        assert!(
            unpack(&tar[..end], folder.path(), ArchiveLimits::default()).is_err(),
            "{end}"
        );
    }
}

proptest! {
    #[test]
    fn no_names_leave_the_target(
        entries in prop::collection::vec(
            (0..4u8, "[ab./]{1,8}", "[ab./]{1,8}"), 1..8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("1/2/target");
        let kinds = [Regular, Directory, Symlink, Link];
        let entries: Vec<_> = entries
            .iter()
            .map(|(kind, name, link)| (kinds[*kind as usize], name.as_str(), link.as_str()))
            .collect();
        let _ = unpack_all(&entries, &target);
        // Beside the target nothing came into being, and no link in it leads out.
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        prop_assert_eq!(fs::read_dir(folder.path().join("1/2")).unwrap().count(), 1);
        let real = target.canonicalize().unwrap();
        let mut folders = vec![real.clone()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if let Ok(leads) = path.canonicalize() {
                    prop_assert!(leads.as_os_str().as_bytes().starts_with(real.as_os_str().as_bytes()));
                }
                if path.symlink_metadata().unwrap().is_dir() {
                    folders.push(path);
                }
            }
        }
    }
}
