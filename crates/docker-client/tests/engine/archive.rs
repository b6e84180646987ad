//! Files in and out.

use std::sync::Arc;

use docker_client::{ArchiveLimits, DockerClientError};
use futures_util::TryStreamExt;

use crate::engine::Engine;
use crate::support::{script, sleeper};
use crate::tests;

tests![
    folder_goes_in_and_comes_out,
    owner_is_that_of_the_tar_or_the_container,
    path_that_is_not_there_says_so,
    file_above_the_limit_is_an_error,
];

async fn folder_goes_in_and_comes_out(engine: Arc<Engine>) {
    let client = engine.client().await;
    sleeper(&engine, &client, "files").await;
    let source = tempfile::tempdir().unwrap();
    let folder = source.path().join("data");
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    std::fs::write(folder.join("a"), "1").unwrap();
    std::fs::write(folder.join("deep/b"), vec![7; 300_000]).unwrap();
    let limits = ArchiveLimits::default;
    client
        .copy_to_container("files", &folder, "/tmp", limits())
        .await
        .unwrap();
    let seen = engine
        .docker_text(&[
            "exec",
            "files",
            "sh",
            "-c",
            "cat /tmp/data/a; wc -c < /tmp/data/deep/b",
        ])
        .await;
    assert_eq!(seen, "1300000");
    let target = tempfile::tempdir().unwrap();
    client
        .copy_from_container("files", "/tmp/data", target.path(), limits())
        .await
        .unwrap();
    assert_eq!(std::fs::read(target.path().join("data/a")).unwrap(), b"1");
    assert_eq!(
        std::fs::read(target.path().join("data/deep/b")).unwrap(),
        vec![7; 300_000]
    );
}

async fn owner_is_that_of_the_tar_or_the_container(engine: Arc<Engine>) {
    let client = engine.client().await;
    let mut container = script(&engine, "owners", "true");
    // The engine looks the name up on its own host, and this one is everywhere.
    container.user = Some("nobody".to_owned());
    client.create_container(container).await.unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    header.set_uid(7);
    header.set_gid(8);
    tar.append_data(&mut header, "file", &b"1"[..]).unwrap();
    let tar = tar.into_inner().unwrap();
    for (to_user, owner) in [(false, 7), (true, 65_534)] {
        let put = client.put_archive("owners", "/tmp", tar.clone().into(), to_user);
        put.await.unwrap();
        let limits = ArchiveLimits::default();
        let stream = client.get_archive("owners", "/tmp/file", limits).await;
        let pieces: Vec<_> = stream.unwrap().try_collect().await.unwrap();
        let mut archive = tar::Archive::new(std::io::Cursor::new(pieces.concat()));
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.header().uid().unwrap(), owner);
    }
}

async fn path_that_is_not_there_says_so(engine: Arc<Engine>) {
    let client = engine.client().await;
    sleeper(&engine, &client, "paths").await;
    let result = client
        .get_archive("paths", "/no/such", ArchiveLimits::default())
        .await;
    match result.map(drop) {
        Err(DockerClientError::PathNotFound { name, path }) => {
            assert_eq!((&*name, &*path), ("paths", "/no/such"));
        }
        other => panic!("{other:?}"),
    }
    let result = client
        .get_archive("nope", "/tmp", ArchiveLimits::default())
        .await;
    assert!(matches!(
        result.map(drop),
        Err(DockerClientError::ContainerNotFound { .. })
    ));
}

async fn file_above_the_limit_is_an_error(engine: Arc<Engine>) {
    let client = engine.client().await;
    sleeper(&engine, &client, "limit").await;
    engine
        .docker(&[
            "exec",
            "limit",
            "sh",
            "-c",
            "head -c 100000 /dev/zero > /tmp/big",
        ])
        .await
        .unwrap();
    let target = tempfile::tempdir().unwrap();
    let limits = ArchiveLimits {
        bytes: 50_000,
        ..ArchiveLimits::default()
    };
    let result = client
        .copy_from_container("limit", "/tmp/big", target.path(), limits)
        .await;
    assert!(
        matches!(
            result,
            Err(DockerClientError::TooLarge { limit: 50_000, .. })
        ),
        "{result:?}"
    );
}
