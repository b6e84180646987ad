//! What a browser or a script sees of the endpoint: a page with charts, and JSON, over
//! plain GET.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http_body_util::Full;
use hyper::{Response, StatusCode, Uri};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::journal::RefusedRequest;
use crate::logs::{EVENTS_PAGE, GROUPS_PAGE, events_page, groups_page};
use crate::refusal::Refusal;
use crate::state::{Inner, State};
use crate::store::Series;

/// The page, which asks `/updates` every second, and follows the log that is open in it.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let page = include_str!("page/page.html");
    let page = page.replace("<style>", &format!("<style>{STYLE}"));
    page.replace("<script>", &format!("<script>{SCRIPT}"))
});
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = concat!(
    include_str!("page/common.js"),
    include_str!("page/metrics.js"),
    include_str!("page/logs.js"),
    include_str!("page/live.js"),
);
/// More than a chart has room for; what the page asks for unless it says how many.
const POINTS_DEFAULT: usize = 300;
/// As many as fit on a page.
const REFUSED_SHOWN: usize = 50;
const ROUTES: [&str; 7] = [
    "/",
    "/series",
    "/refused",
    "/summary",
    "/updates",
    GROUPS_PAGE,
    EVENTS_PAGE,
];

/// Nothing runs and nothing is fetched but what is in the page itself, so that a metric's
/// name can do no harm even if the page were careless with it.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let [script, style] = [SCRIPT, STYLE].map(|text| STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// `/`: the page; `/series`: the points by metric; `/refused`: what was refused and why;
/// `/summary`: how much of each; `/updates?after=N&points=N`: what is new to one who has
/// seen the first `after` points, the latest `points` of each metric.
pub(crate) fn show(uri: &Uri, state: &State) -> Response<Full<Bytes>> {
    let inner = state.lock();
    let (status, value) = match uri.path() {
        "/" => {
            return respond(
                StatusCode::OK,
                "text/html; charset=utf-8",
                PAGE.as_str().into(),
            );
        }
        "/series" => (StatusCode::OK, series(&inner)),
        "/refused" => {
            let all = all_refused(&inner).into_iter();
            (StatusCode::OK, all.map(refused).collect())
        }
        "/summary" => (StatusCode::OK, summary(&inner)),
        GROUPS_PAGE => (StatusCode::OK, groups_page(&inner.logs.store)),
        EVENTS_PAGE => match events_page(&inner.logs.store, uri.query().unwrap_or_default()) {
            Ok(events) => {
                drop(inner);
                // There may be many, so they are not spread over lines.
                let events = events.to_string();
                return respond(StatusCode::OK, "application/json", events.into());
            }
            Err(error) => (StatusCode::BAD_REQUEST, json!({ "error": error })),
        },
        "/updates" => match Asked::read(uri.query().unwrap_or_default()) {
            Ok(asked) => {
                drop(inner);
                // It comes every second, so it is not spread over lines.
                let updates = updates(asked, state).to_string();
                return respond(StatusCode::OK, "application/json", updates.into());
            }
            Err(error) => (StatusCode::BAD_REQUEST, json!({ "error": error })),
        },
        _ => (
            StatusCode::NOT_FOUND,
            json!({"error": "no such page", "pages": ROUTES}),
        ),
    };
    respond(status, "application/json", format!("{value:#}\n").into())
}

/// For one who is not to look.
pub(crate) fn refuse(refusal: &Refusal) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(refusal.status).expect("a refusal has a status of HTTP");
    let value = json!({ "error": refusal.message });
    respond(status, "application/json", format!("{value:#}\n").into())
}

fn respond(status: StatusCode, content_type: &str, body: Bytes) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("cache-control", "no-store")
        .header("content-security-policy", POLICY.as_str())
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "no-referrer")
        .body(Full::new(body))
        .expect("constant headers are good")
}

fn summary(inner: &Inner) -> Value {
    let (metrics, logs) = (&inner.metrics, &inner.logs);
    json!({
        "requests": metrics.journal.attempts_seen(),
        "refused": metrics.journal.refused_seen(),
        "points": metrics.store.points_accepted,
        "series": metrics.store.series().count(),
        "log_requests": logs.journal.attempts_seen(),
        "log_refused": logs.journal.refused_seen(),
        "log_groups": logs.store.groups.len(),
        "log_events": logs.store.accepted(),
        "log_events_dropped": logs.store.dropped,
        "connections": inner.connections,
        "pages": ROUTES,
    })
}

/// What was refused by either API, in the order it came in.
fn all_refused(inner: &Inner) -> Vec<&RefusedRequest> {
    let metrics = inner.metrics.journal.refused();
    let mut all: Vec<_> = metrics.chain(inner.logs.journal.refused()).collect();
    all.sort_by_key(|refused| refused.instant);
    all
}

/// The points by metric.
pub(crate) fn series(inner: &Inner) -> Value {
    let described = inner.metrics.store.series().map(|series| {
        let mut value = describe(series);
        value["points"] = json!(series.points);
        value
    });
    described.collect()
}

fn describe(series: &Series) -> Value {
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
    })
}

fn refused(refused: &RefusedRequest) -> Value {
    json!({
        "at": rfc3339(refused.at.into()),
        "operation": refused.operation,
        "status": refused.refusal.status,
        "code": refused.refusal.code,
        "message": refused.refusal.message,
        "points": refused.points,
    })
}

/// What somebody who has seen some of it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    /// How many points had been accepted by then.
    after: usize,
    /// The most points of a metric.
    points: usize,
}

impl Asked {
    fn read(query: &str) -> Result<Self, String> {
        let mut asked = Self {
            after: 0,
            points: POINTS_DEFAULT,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let number = match name {
                "after" => &mut asked.after,
                "points" => &mut asked.points,
                _ => return Err(format!("{name:?} is neither after nor points")),
            };
            *number = value
                .parse()
                .map_err(|_| format!("{name} must be a whole number, not {value:?}"))?;
        }
        Ok(asked)
    }
}

fn updates(asked: Asked, state: &State) -> Value {
    let now = state.now();
    let inner = state.lock();
    let series: Value = inner
        .metrics
        .store
        .series_after(asked.after)
        .map(|(series, new)| {
            let mut value = describe(series);
            let mut points: Vec<_> = new.rev().take(asked.points).collect();
            points.reverse();
            value["new_points"] = json!(points);
            value["point_count"] = json!(series.points.len());
            value
        })
        .collect();
    let mut latest = all_refused(&inner);
    latest.reverse();
    latest.truncate(REFUSED_SHOWN);
    json!({
        "started": rfc3339(state.started.into()),
        "now": now.timestamp_millis(),
        "accepted": inner.metrics.store.points_accepted,
        "requests": inner.metrics.journal.attempts_seen(),
        "series": series,
        "logs": groups_page(&inner.logs.store),
        "refused": latest.into_iter().map(refused).collect::<Value>(),
    })
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_may_leave_everything_open() {
        let defaults = Asked {
            after: 0,
            points: POINTS_DEFAULT,
        };
        assert_eq!(Asked::read(""), Ok(defaults));
        let asked = Asked {
            after: 7,
            points: 2,
        };
        assert_eq!(Asked::read("points=2&after=7"), Ok(asked));
    }

    #[test]
    fn query_that_is_not_understood_is_named() {
        for query in ["after=-1", "after", "points=all", "since=3"] {
            let error = Asked::read(query).unwrap_err();
            assert!(error.contains(query.split('=').next().unwrap()), "{error}");
        }
    }

    #[test]
    fn page_needs_nothing_from_elsewhere() {
        for loader in ["src=", "@import", "url(", "import(", "https:", "innerHTML"] {
            assert!(!PAGE.contains(loader), "{loader}");
        }
    }
}
