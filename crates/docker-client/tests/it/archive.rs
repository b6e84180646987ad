//! Files that go into containers, as tar on the wire.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use docker_client::{ArchiveLimits, DockerClientError};
use docker_local::{Container, DockerLocal};

use crate::support::{client, engine};

const PUT: &str = "PUT /containers/*/archive";

async fn with_container() -> DockerLocal {
    let engine = engine().await;
    engine.add(Container::named("web").running());
    engine
}

#[tokio::test]
async fn owner_is_changed_only_where_that_is_asked_for() {
    let engine = with_container().await;
    let client = client(&engine).await;
    for to_user in [false, true] {
        let tar = &b"as it is"[..];
        client
            .put_archive("web", "/srv/a b", tar.into(), to_user)
            .await
            .unwrap();
    }
    let requests = engine.requests_to(PUT);
    let sent: Vec<_> = requests
        .iter()
        .map(|request| (request.query("copyUIDGID").unwrap(), &request.body[..]))
        .collect();
    assert_eq!(sent, [("0", &b"as it is"[..]), ("1", &b"as it is"[..])]);
    for request in &requests {
        assert_eq!(request.query("path"), Some("/srv/a b"));
        assert_eq!(request.query("noOverwriteDirNonDir"), Some("1"));
    }
}

/// The entries of a tar: kind, mode, owner, and content or target.
fn entries(tar: &[u8]) -> BTreeMap<String, (tar::EntryType, u32, u64, String)> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        if let Some(target) = entry.link_name().unwrap() {
            text = target.display().to_string();
        }
        let header = entry.header();
        let facts = (
            header.entry_type(),
            header.mode().unwrap(),
            header.uid().unwrap(),
            text,
        );
        found.insert(entry.path().unwrap().display().to_string(), facts);
    }
    found
}

#[tokio::test]
async fn folder_is_packed_as_it_is() {
    let engine = with_container().await;
    let client = client(&engine).await;
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
    std::fs::create_dir_all(site.join("empty")).unwrap();
    std::fs::create_dir(site.join(&long[..90])).unwrap();
    for (name, text) in [(".hidden", "h"), ("run", "#!"), (&*long, "deep")] {
        std::fs::write(site.join(name), text).unwrap();
        let mode = std::fs::Permissions::from_mode(if text == "#!" { 0o755 } else { 0o640 });
        std::fs::set_permissions(site.join(name), mode).unwrap();
    }
    // What a link points to is not ours to send.
    std::os::unix::fs::symlink("/etc/passwd", site.join("link")).unwrap();
    let limits = ArchiveLimits::default();
    client
        .copy_to_container("web", &site, "/srv", limits)
        .await
        .unwrap();
    let found = entries(&engine.requests_to(PUT)[0].body);
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    let deep = format!("site/{long}");
    let deeper = format!("site/{}/", &long[..90]);
    let mut expected = [
        "site/",
        "site/.hidden",
        &deeper,
        &deep,
        "site/empty/",
        "site/link",
        "site/run",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
    let file = |name: &str| found[name].clone();
    let regular = tar::EntryType::Regular;
    assert_eq!(file("site/run"), (regular, 0o755, 0, "#!".to_owned()));
    assert_eq!(file("site/.hidden"), (regular, 0o640, 0, "h".to_owned()));
    assert_eq!(file(&deep), (regular, 0o640, 0, "deep".to_owned()));
    let (kind, _, _, target) = file("site/link");
    assert_eq!((kind, &*target), (tar::EntryType::Symlink, "/etc/passwd"));

    // It comes back as it went.
    let back = tempfile::tempdir().unwrap();
    client
        .copy_from_container("web", "/srv", back.path(), limits)
        .await
        .unwrap_err();
    std::fs::remove_file(site.join("link")).unwrap();
    client
        .copy_to_container("web", &site, "/srv", limits)
        .await
        .unwrap();
    client
        .copy_from_container("web", "/srv", back.path(), limits)
        .await
        .unwrap();
    let text = std::fs::read_to_string(back.path().join(&deep)).unwrap();
    assert_eq!(text, "deep");
}

#[tokio::test]
async fn folder_above_the_limit_is_not_taken_for_whole() {
    let engine = with_container().await;
    let client = client(&engine).await;
    let folder = tempfile::tempdir().unwrap();
    for number in 0..20 {
        std::fs::write(folder.path().join(number.to_string()), vec![b'x'; 100_000]).unwrap();
    }
    let bytes = ArchiveLimits {
        bytes: 1_500_000,
        ..ArchiveLimits::default()
    };
    let result = client
        .copy_to_container("web", folder.path(), "/srv", bytes)
        .await;
    assert!(
        matches!(
            result,
            Err(DockerClientError::TooLarge {
                limit: 1_500_000,
                ..
            })
        ),
        "{result:?}"
    );
    let entries = ArchiveLimits {
        entries: 10,
        ..ArchiveLimits::default()
    };
    let result = client
        .copy_to_container("web", folder.path(), "/srv", entries)
        .await;
    assert!(
        matches!(result, Err(DockerClientError::InvalidArgument { .. })),
        "{result:?}"
    );
    let result = client
        .get_archive("web", "/srv", ArchiveLimits::default())
        .await;
    assert!(matches!(
        result,
        Err(DockerClientError::PathNotFound { .. })
    ));
}
