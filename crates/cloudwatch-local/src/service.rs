//! The answer to one request.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, sleep};

use crate::connection::Instead;
use crate::fault::{Action, Fault};
use crate::page;
use crate::protocol::write_refusal;
use crate::refusal::Refusal;
use crate::signature::{Claim, SERVICE};
use crate::state::State;
use crate::store::{Outcome, RefusedRequest};

mod read;

use read::{NoBody, body, read};

const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(crate) struct Cut;

type Answer = Response<Full<Bytes>>;

/// Answers a `PutMetricData` request, or shows a page to one who looks.
pub(crate) async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
    own: IpAddr,
    instead: Instead,
) -> Result<Answer, Cut> {
    let (head, body) = request.into_parts();
    let meant = state.hosts.check(&head, own);
    if head.method == Method::GET {
        return Ok(match meant {
            Ok(()) => page::show(&head.uri, &state),
            Err(refusal) => page::refuse(&refusal),
        });
    }
    let arrival = Arrival {
        now: state.now(),
        instant: Instant::now(),
    };
    let (number, fault) = state.change(|inner| {
        let number = inner.store.open(arrival.now.into(), arrival.instant);
        (number, meant.is_ok().then(|| inner.faults.take()).flatten())
    });
    let exchange = Exchange {
        state,
        arrival,
        number,
        instead,
    };
    match meant {
        Ok(()) => exchange.run(head, body, fault).await,
        Err(refusal) => Ok(exchange.refuse(refusal, 0)),
    }
}

/// When a request's headers had arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    now: DateTime<Utc>,
    instant: Instant,
}

/// One request on its way to an answer.
struct Exchange {
    state: Arc<State>,
    arrival: Arrival,
    number: usize,
    instead: Instead,
}

impl Exchange {
    async fn run(
        self,
        head: Parts,
        incoming: Incoming,
        mut fault: Option<Fault>,
    ) -> Result<Answer, Cut> {
        if let Some(fault) = &fault {
            sleep(fault.delay).await;
            if matches!(fault.action, Action::CutUnread) {
                self.close(Outcome::Faulted);
                return Err(Cut);
            }
        }
        // Nothing is read from one whose signature cannot be good.
        let now = self.arrival.now;
        let claim = Claim::read(&head.headers, &self.state.lock().keyring, SERVICE, now);
        let signed = match claim {
            Ok(claim) => match body(incoming).await {
                Ok(body) => Ok((claim, body)),
                Err(NoBody::Refused(refusal)) => Err(refusal),
                Err(NoBody::Cut) => return Err(Cut),
            },
            Err(refusal) => Err(refusal),
        };
        // A fault that lets the request pass shapes the end of it instead.
        let ending = fault.take_if(|fault| {
            let action = &fault.action;
            matches!(
                action,
                Action::Proceed | Action::CutAccepted | Action::HangAccepted
            )
        });
        if let Some(fault) = fault {
            return self.misbehave(fault, 0).await;
        }
        let regions = self.state.lock().regions.clone();
        let received =
            signed.and_then(|(claim, body)| read(&head, &claim, &body, self.arrival, &regions));
        let request = match received {
            Ok(request) => request,
            Err(refusal) => return Ok(self.refuse(refusal, 0)),
        };
        let fault = self.state.lock().faults.of_content(&request);
        if let Some(fault) = fault {
            sleep(fault.delay).await;
            if !matches!(fault.action, Action::Proceed) {
                return self.misbehave(fault, request.points.len()).await;
            }
        }
        self.state.change(|inner| {
            inner.store.accept(request);
            inner.store.close(self.number, Outcome::Accepted);
        });
        let headers = match ending {
            Some(fault) => match fault.action {
                Action::CutAccepted => return Err(Cut),
                Action::HangAccepted => return std::future::pending().await,
                _ => fault.headers,
            },
            None => Vec::new(),
        };
        // The operation has no output, so the protocol asks for no body and no content type.
        Ok(self.respond(200, &headers, Bytes::new(), true))
    }

    /// Does what a fault says; its delay is over.
    async fn misbehave(self, fault: Fault, points: usize) -> Result<Answer, Cut> {
        self.close(Outcome::Faulted);
        match fault.action {
            Action::Refuse(refusal) => {
                self.note(refusal.clone(), points);
                Ok(self.respond_refusal(&refusal, &fault.headers))
            }
            Action::Respond { status, body } => {
                Ok(self.respond(status, &fault.headers, body, false))
            }
            Action::Raw(bytes) => {
                self.instead.set(bytes);
                Ok(Response::default())
            }
            Action::Hang | Action::HangAccepted => std::future::pending().await,
            Action::Proceed | Action::CutUnread | Action::CutAccepted => Err(Cut),
        }
    }

    fn refuse(&self, refusal: Refusal, points: usize) -> Answer {
        self.close(Outcome::Refused(refusal.code.clone().into_owned()));
        let answer = self.respond_refusal(&refusal, &[]);
        self.note(refusal, points);
        answer
    }

    fn note(&self, refusal: Refusal, points: usize) {
        let refused = RefusedRequest {
            at: self.arrival.now.into(),
            instant: self.arrival.instant,
            refusal,
            points,
        };
        self.state.change(|inner| inner.store.refuse(refused));
    }

    fn close(&self, outcome: Outcome) {
        self.state
            .change(|inner| inner.store.close(self.number, outcome));
    }

    fn respond_refusal(&self, refusal: &Refusal, headers: &[(String, String)]) -> Answer {
        let fault = if refusal.status < 500 {
            "Sender"
        } else {
            "Receiver"
        };
        let own = [
            ("content-type".to_owned(), "application/cbor".to_owned()),
            (
                "x-amzn-query-error".to_owned(),
                format!("{};{fault}", refusal.code),
            ),
        ];
        let headers = [&own, headers].concat();
        self.respond(
            refusal.status,
            &headers,
            write_refusal(refusal).into(),
            true,
        )
    }

    fn respond(
        &self,
        status: u16,
        headers: &[(String, String)],
        body: Bytes,
        in_protocol: bool,
    ) -> Answer {
        let mut response = Response::builder()
            .status(StatusCode::from_u16(status).expect("a fault's status is one of HTTP"))
            // The SDK reads the clock skew from this header, so it follows the endpoint's clock.
            .header("date", self.state.now().format(HTTP_DATE).to_string());
        if in_protocol {
            response = response
                .header("smithy-protocol", "rpc-v2-cbor")
                .header("x-amzn-requestid", request_id(self.number));
        }
        for (name, value) in headers {
            response = response.header(name, value);
        }
        response
            .body(Full::new(body))
            .expect("a fault's headers are ones of HTTP")
    }
}

/// Shaped as the service's, and telling which request of the log it was.
fn request_id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}
