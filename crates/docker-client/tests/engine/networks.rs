//! Networks and volumes.

use std::collections::BTreeMap;
use std::sync::Arc;

use docker_client::DockerClientError;

use crate::engine::Engine;
use crate::support::sleeper;
use crate::tests;

tests![
    networks_are_made_joined_left_and_removed,
    volumes_are_made_and_removed,
];

fn labels(engine: &Engine) -> BTreeMap<String, String> {
    let (label, value) = engine.label.split_once('=').unwrap();
    BTreeMap::from([(label.to_owned(), value.to_owned())])
}

fn ours(engine: &Engine) -> BTreeMap<String, Vec<String>> {
    BTreeMap::from([("label".to_owned(), vec![engine.label.clone()])])
}

async fn networks_are_made_joined_left_and_removed(engine: Arc<Engine>) {
    let client = engine.client().await;
    let container = sleeper(&engine, &client, "member").await;
    let id = client
        .create_network("net", None, labels(&engine))
        .await
        .unwrap();
    let list = client.list_networks(ours(&engine)).await.unwrap();
    let [found] = &list[..] else {
        panic!("{list:?}");
    };
    assert_eq!(
        (&*found.id, &*found.name, &*found.driver),
        (&*id, "net", "bridge")
    );
    client
        .connect_network("net", "member", vec!["alias".to_owned()])
        .await
        .unwrap();
    let details = client.inspect_network("net").await.unwrap();
    assert!(
        details.containers.keys().any(|id| *id == container),
        "{details:?}"
    );
    let info = client.get_container_info("member").await.unwrap();
    let joined = info
        .networks
        .iter()
        .find(|network| network.name == "net")
        .unwrap();
    assert!(joined.aliases.contains(&"alias".to_owned()), "{joined:?}");
    client
        .disconnect_network("net", "member", false)
        .await
        .unwrap();
    client.remove_network("net").await.unwrap();
    for result in [
        client.inspect_network("net").await.map(drop),
        client.remove_network("net").await,
        client.connect_network("net", "member", Vec::new()).await,
    ] {
        match result {
            Err(DockerClientError::NetworkNotFound { network }) => assert_eq!(network, "net"),
            other => panic!("{other:?}"),
        }
    }
}

async fn volumes_are_made_and_removed(engine: Arc<Engine>) {
    let client = engine.client().await;
    let made = client
        .create_volume("vol", None, labels(&engine))
        .await
        .unwrap();
    assert_eq!((&*made.name, &*made.driver), ("vol", "local"));
    assert_eq!(client.inspect_volume("vol").await.unwrap(), made);
    assert_eq!(client.list_volumes(ours(&engine)).await.unwrap(), [made]);
    client.remove_volume("vol", false).await.unwrap();
    for result in [
        client.inspect_volume("vol").await.map(drop),
        client.remove_volume("vol", false).await,
    ] {
        match result {
            Err(DockerClientError::VolumeNotFound { volume }) => assert_eq!(volume, "vol"),
            other => panic!("{other:?}"),
        }
    }
}
