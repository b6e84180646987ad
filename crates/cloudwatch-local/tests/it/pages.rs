//! What a browser or a script sees.

use cloudwatch_local::CloudWatchLocal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{client, datum, endpoint, send};

/// Head and body of the answer to a GET.
pub(crate) async fn get(endpoint: &CloudWatchLocal, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(endpoint.addr()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

pub(crate) async fn get_json(endpoint: &CloudWatchLocal, path: &str) -> Value {
    serde_json::from_str(&get(endpoint, path).await.1).unwrap()
}

/// Names and values of the points of an update.
fn news(updates: &Value) -> Vec<(&str, Vec<f64>)> {
    let series = updates["series"].as_array().unwrap().iter();
    series
        .map(|series| {
            let points = series["new_points"].as_array().unwrap().iter();
            let values = points.map(|point| point[1].as_f64().unwrap()).collect();
            (series["name"].as_str().unwrap(), values)
        })
        .collect()
}

#[tokio::test]
async fn pages_show_what_came_in_and_what_was_refused() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    send(&client, vec![datum("Depth", 42.5)]).await.unwrap();
    send(&client, vec![datum("Depth", f64::NAN)])
        .await
        .unwrap_err();
    assert_eq!(get_json(&endpoint, "/summary").await["points"], json!(1));
    let (_, series) = get(&endpoint, "/series").await;
    assert!(series.contains(r#""name": "Depth""#), "{series}");
    assert!(series.contains("42.5"), "{series}");
    let (_, refused) = get(&endpoint, "/refused").await;
    assert!(refused.contains("The value NaN"), "{refused}");
    assert_eq!(endpoint.attempts().len(), 2, "looking is no attempt");
}

#[tokio::test]
async fn page_allows_nothing_but_itself() {
    let endpoint = endpoint().await;
    let (head, body) = get(&endpoint, "/").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/html"), "{head}");
    assert!(head.contains("default-src 'none'"), "{head}");
    assert!(!head.contains("unsafe"), "{head}");
    assert!(body.contains("<script>"), "{body}");
}

#[tokio::test]
async fn update_holds_the_points_that_were_accepted_since() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    send(&client, vec![datum("A", 1.0), datum("B", 2.0)])
        .await
        .unwrap();
    let first = get_json(&endpoint, "/updates").await;
    assert_eq!(news(&first), [("A", vec![1.0]), ("B", vec![2.0])]);
    assert_eq!(first["accepted"], json!(2));

    send(&client, vec![datum("B", 3.0), datum("B", 4.0)])
        .await
        .unwrap();
    let second = get_json(&endpoint, "/updates?after=2").await;
    assert_eq!(news(&second), [("B", vec![3.0, 4.0])]);
    assert_eq!(second["series"][0]["point_count"], json!(3));
    assert_eq!(second["started"], first["started"]);
    assert_eq!(news(&get_json(&endpoint, "/updates?after=4").await), []);
}

#[tokio::test]
async fn update_holds_the_latest_points_of_each_metric_up_to_a_number() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    let data = [1.0, 2.0, 3.0].map(|value| datum("A", value)).to_vec();
    send(&client, data).await.unwrap();
    let updates = get_json(&endpoint, "/updates?points=2").await;
    assert_eq!(news(&updates), [("A", vec![2.0, 3.0])]);
}

#[tokio::test]
async fn update_is_right_when_old_points_are_gone() {
    let endpoint = CloudWatchLocal::builder()
        .keep(2, 10)
        .start()
        .await
        .unwrap();
    let client = client(&endpoint);
    let data = [1.0, 2.0, 3.0, 4.0].map(|value| datum("A", value)).to_vec();
    send(&client, data).await.unwrap();
    let updates = get_json(&endpoint, "/updates?after=1").await;
    assert_eq!(news(&updates), [("A", vec![3.0, 4.0])]);
    let updates = get_json(&endpoint, "/updates?after=3").await;
    assert_eq!(news(&updates), [("A", vec![4.0])]);
}

#[tokio::test]
async fn request_that_is_not_understood_is_answered_with_the_reason() {
    let endpoint = endpoint().await;
    let (head, body) = get(&endpoint, "/updates?after=soon").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert!(body.contains("after must be a whole number"), "{body}");
    let (head, body) = get(&endpoint, "/nowhere").await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    assert!(body.contains("/series"), "{body}");
}
