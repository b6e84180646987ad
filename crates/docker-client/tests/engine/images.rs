//! Images.

use std::collections::BTreeMap;
use std::sync::Arc;

use docker_client::{BuildOptions, CreateContainer, DockerClientError};
use futures_util::StreamExt;

use crate::engine::{Engine, IMAGE};
use crate::tests;

tests![
    images_are_listed_inspected_tagged_and_removed,
    folder_is_built_without_what_is_ignored,
    build_that_fails_says_why,
    registry_that_is_not_there_is_an_error,
];

async fn images_are_listed_inspected_tagged_and_removed(engine: Arc<Engine>) {
    let client = engine.client().await;
    client.tag_image(IMAGE, "other/name:2").await.unwrap();
    assert!(client.image_exists("other/name:2").await.unwrap());
    let images = client.list_images(false, BTreeMap::new()).await.unwrap();
    let found = images
        .iter()
        .find(|image| image.tags.contains(&"other/name:2".to_owned()));
    let found = found.unwrap_or_else(|| panic!("{images:?}"));
    let shown = engine
        .docker_text(&["inspect", "--format", "{{.Id}} {{.Size}}", IMAGE])
        .await;
    assert_eq!(format!("{} {}", found.id, found.size), shown);
    let details = client.inspect_image("other/name:2").await.unwrap();
    assert_eq!(details.id.as_ref(), Some(&found.id));
    client.remove_image("other/name:2", false).await.unwrap();
    assert!(!client.image_exists("other/name:2").await.unwrap());
    assert!(client.image_exists(IMAGE).await.unwrap());
    for result in [
        client.inspect_image("other/name:2").await.map(drop),
        client.remove_image("other/name:2", false).await,
        client.tag_image("other/name:2", "x:1").await,
    ] {
        match result {
            Err(DockerClientError::ImageNotFound { image }) => assert_eq!(image, "other/name:2"),
            other => panic!("{other:?}"),
        }
    }
}

async fn folder_is_built_without_what_is_ignored(engine: Arc<Engine>) {
    let client = engine.client().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "Dockerfile",
        &format!("FROM {IMAGE}\nARG WHO\nCOPY . /data\nRUN echo \"$WHO\" > /who\n"),
    );
    write(".dockerignore", "*.secret\nkept/*\n!kept/this\n");
    write("a", "1");
    write("b.secret", "2");
    write("kept/this", "3");
    write("kept/that", "4");
    let mut options = BuildOptions::default();
    options.tags = vec!["built:1".to_owned()];
    options.args.insert("WHO".to_owned(), "me".to_owned());
    let mut progress = client.build_image(folder.path(), options).await.unwrap();
    let mut steps = 0;
    while let Some(step) = progress.next().await {
        step.unwrap();
        steps += 1;
    }
    assert!(steps > 3, "{steps}");
    let files = [
        "run",
        "--rm",
        "built:1",
        "sh",
        "-c",
        "cat /who; cd /data; find . -type f | sort",
    ];
    let shown = engine.docker_text(&files).await;
    assert_eq!(shown, "me\n./.dockerignore\n./Dockerfile\n./a\n./kept/this");
    client.remove_image("built:1", true).await.unwrap();
}

async fn build_that_fails_says_why(engine: Arc<Engine>) {
    let client = engine.client().await;
    let folder = tempfile::tempdir().unwrap();
    let text = format!("FROM {IMAGE}\nRUN exit 7\n");
    std::fs::write(folder.path().join("Dockerfile"), text).unwrap();
    let built = client
        .build_image(folder.path(), BuildOptions::default())
        .await
        .unwrap();
    match built.finish().await {
        Err(DockerClientError::Engine { message, .. }) => {
            assert!(message.contains("returned a non-zero code: 7"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let left = engine.docker_text(&["ps", "-aq"]).await;
    for id in left.split_whitespace() {
        client.remove_container(id, true, true).await.unwrap();
    }
}

async fn registry_that_is_not_there_is_an_error(engine: Arc<Engine>) {
    let client = engine.client().await;
    let pulled = match client.pull_image("127.0.0.1:9/nope:1", None).await {
        Ok(progress) => progress.finish().await.map(drop),
        Err(error) => Err(error),
    };
    let error = pulled.unwrap_err();
    assert!(error.to_string().contains("nope"), "{error}");
    assert!(
        !matches!(error, DockerClientError::ImageNotFound { .. }),
        "{error}"
    );
    let container = CreateContainer::new("127.0.0.1:9/nope:1");
    let missing = client.create_container(container).await;
    assert!(
        matches!(missing, Err(DockerClientError::ImageNotFound { .. })),
        "{missing:?}"
    );
}
