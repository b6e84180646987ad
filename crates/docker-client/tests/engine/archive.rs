//! Files in and out.

use std::sync::Arc;

use docker_client::{ArchiveLimits, DockerClientError};

use crate::engine::Engine;
use crate::support::sleeper;
use crate::tests;

tests![
    folder_goes_in_and_comes_out,
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
