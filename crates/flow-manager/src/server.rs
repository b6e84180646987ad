//! The HTTP side: the page, the probes, and who may come through to Socket.IO.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderValue, Method, StatusCode, header};

use crate::containers::ContainerManager;
use crate::flow::SocketCommunicationHandler;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::socketio::{Peer, SocketIoEventHandler};

mod entrance;
mod guard;
mod listener;
mod page;
mod unix;
mod wire;

pub use guard::Guard;
pub use listener::{ListenError, Listener, serve};

/// How long a connection may be to its end when the server stops.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the probes and the figures ask.
#[derive(Clone)]
struct Parts {
    containers: ContainerManager,
    sockets: SocketCommunicationHandler,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
}

/// Who comes in, and how many.
struct Door {
    guard: Guard,
    handler: SocketIoEventHandler,
}

/// The routes for clients.
pub fn router(
    handler: &SocketIoEventHandler,
    containers: ContainerManager,
    guard: Guard,
) -> Router {
    let (layer, _io) = handler.layer();
    let mut router = Router::new();
    for (path, file) in page::FILES {
        router = router.route(path, get(async || page::answer(file)));
    }
    let door = Door {
        guard,
        handler: handler.clone(),
    };
    router
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || ready(&containers)))
        .layer(layer)
        .layer(from_fn_with_state(Arc::new(door), guarded))
}

/// The routes of `METRICS_ADDR`.
pub fn metrics_router(
    containers: ContainerManager,
    sockets: SocketCommunicationHandler,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
) -> Router {
    let parts = Parts {
        containers,
        sockets,
        hub,
        metrics,
    };
    let page = async |State(parts): State<Parts>| {
        let page = parts
            .metrics
            .page(&parts.containers, &parts.sockets, &parts.hub);
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        ([(header::CONTENT_TYPE, kind)], page)
    };
    Router::new().route("/metrics", get(page)).with_state(parts)
}

fn ready(containers: &ContainerManager) -> (StatusCode, &'static str) {
    match containers.engine_is_there() {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "Docker does not answer\n"),
    }
}

/// Lets a request through that may come in, and tells a browser of another origin that it may
/// read the answer.
async fn guarded(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    if matches!(request.uri().path(), "/healthz" | "/readyz") {
        return next.run(request).await;
    }
    let peer = request
        .extensions()
        .get::<Peer>()
        .copied()
        .unwrap_or_default();
    let admitted = match door.guard.admit(peer, request.headers()) {
        Ok(admitted) => admitted,
        Err(reason) => return refusal(StatusCode::FORBIDDEN, reason),
    };
    request.extensions_mut().insert(admitted.peer);
    let mut response = if request.method() == Method::OPTIONS && admitted.origin.is_some() {
        preflight()
    } else if entrance::is_for_engine_io(request.uri()) {
        let passed = entrance::pass(door.handler.sessions(), admitted.peer, request, next).await;
        passed.unwrap_or_else(|| {
            door.handler.refused_session();
            let reason = "too many have not said who they are, try again\n";
            refusal(StatusCode::SERVICE_UNAVAILABLE, reason)
        })
    } else {
        next.run(request).await
    };
    if let Some(origin) = admitted.origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
    response
}

fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("content-type"),
    );
    response
}

fn refusal(status: StatusCode, reason: &'static str) -> Response {
    let mut response = Response::new(Body::from(reason));
    *response.status_mut() = status;
    response
}
