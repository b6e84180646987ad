//! What a browser or a script sees of the endpoint: JSON over plain GET.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::state::{Inner, State};

/// `/`: a summary; `/series`: the points by metric; `/refused`: what was refused and why.
pub(crate) fn show(path: &str, state: &State) -> Response<Full<Bytes>> {
    let inner = state.lock();
    let (status, value) = match path {
        "/" => (StatusCode::OK, summary(&inner)),
        "/series" => (StatusCode::OK, series(&inner)),
        "/refused" => (StatusCode::OK, refused(&inner)),
        _ => (
            StatusCode::NOT_FOUND,
            json!({"error": "no such page", "pages": ["/", "/series", "/refused"]}),
        ),
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .body(Full::new(format!("{value:#}\n").into()))
        .expect("constant headers are good")
}

fn summary(inner: &Inner) -> Value {
    json!({
        "requests": inner.store.attempts_seen(),
        "refused": inner.store.refused_seen,
        "points": inner.store.points_accepted,
        "series": inner.store.series().count(),
        "connections": inner.store.connections,
        "pages": ["/series", "/refused"],
    })
}

fn series(inner: &Inner) -> Value {
    inner
        .store
        .series()
        .map(|series| {
            let dimensions: serde_json::Map<_, _> = series
                .dimensions
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect();
            json!({
                "namespace": *series.namespace,
                "name": series.name,
                "dimensions": dimensions,
                "unit": series.unit,
                "points": series.points,
            })
        })
        .collect()
}

fn refused(inner: &Inner) -> Value {
    inner
        .store
        .refused
        .iter()
        .map(|refused| {
            let at = DateTime::<Utc>::from(refused.at);
            json!({
                "at": at.to_rfc3339_opts(SecondsFormat::Millis, true),
                "status": refused.refusal.status,
                "code": refused.refusal.code,
                "message": refused.refusal.message,
                "points": refused.points,
            })
        })
        .collect()
}
