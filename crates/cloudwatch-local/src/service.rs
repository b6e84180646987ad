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
use crate::fault::{Action, Fault, TRUNCATED};
use crate::journal::{Outcome, RefusedRequest};
use crate::page;
use crate::refusal::Refusal;
use crate::signature::Claim;
use crate::state::State;

mod api;
pub(crate) mod body;
mod metrics;

use api::{Api, Call};
use body::{NoBody, body, origin};

const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(crate) struct Cut;

type Answer = Response<Full<Bytes>>;

/// Answers a request of either API, or shows a page to one who looks.
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
    let (api, operation) = Api::of(&head);
    let (number, fault) = state.change(|inner| {
        let at = arrival.now.into();
        let journal = api.journal(inner);
        let number = journal.open(at, arrival.instant, operation.clone());
        let fault = meant.is_ok().then(|| api.fault(inner, &operation));
        (number, fault.flatten())
    });
    let exchange = Exchange {
        state,
        arrival,
        api,
        operation,
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
    pub(crate) now: DateTime<Utc>,
    pub(crate) instant: Instant,
}

/// One request on its way to an answer.
struct Exchange {
    state: Arc<State>,
    arrival: Arrival,
    api: Api,
    operation: String,
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
        let (now, scope) = (self.arrival.now, self.api.scope());
        let claim = Claim::read(&head.headers, &self.state.lock().keyring, scope, now);
        let signed = match claim {
            Ok(claim) => match body(incoming, self.api.body_max(), &self.state.pace).await {
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
                Action::Proceed
                    | Action::CutAccepted
                    | Action::HangAccepted
                    | Action::TruncateAccepted
            )
        });
        if let Some(fault) = fault {
            return self.misbehave(fault, 0).await;
        }
        let regions = self.state.lock().regions.clone();
        let call = signed.and_then(|(claim, body)| {
            let origin = origin(&head, &claim, &body, self.arrival, &regions)?;
            self.api.read(&head, &self.operation, origin, &body)
        });
        let call = match call {
            Ok(call) => call,
            Err(refusal) => return Ok(self.refuse(refusal, 0)),
        };
        let weight = call.weight();
        let fault = call.fault(&self.state.lock());
        if let Some(fault) = fault {
            sleep(fault.delay).await;
            if !matches!(fault.action, Action::Proceed) {
                return self.misbehave(fault, weight).await;
            }
        }
        match self.perform(call) {
            Ok(body) => self.end(ending, body).await,
            Err(refusal) => Ok(self.refuse(refusal, weight)),
        }
    }

    /// Does what was asked for; gives the body of the answer.
    fn perform(&self, call: Call) -> Result<Bytes, Refusal> {
        self.state.change(|inner| {
            let body = call.perform(inner)?;
            let journal = self.api.journal(inner);
            journal.close(self.number, Outcome::Accepted);
            Ok(body)
        })
    }

    /// Answers what was done, unless a fault keeps the answer back.
    async fn end(&self, ending: Option<Fault>, body: Bytes) -> Result<Answer, Cut> {
        let headers = match ending {
            Some(fault) => match fault.action {
                Action::CutAccepted => return Err(Cut),
                Action::HangAccepted => return std::future::pending().await,
                Action::TruncateAccepted => {
                    self.instead.set(Bytes::from_static(TRUNCATED));
                    return Ok(Response::default());
                }
                _ => fault.headers,
            },
            None => Vec::new(),
        };
        let own = self.api.headers();
        Ok(self.respond(200, &[own, headers].concat(), body, true))
    }

    /// Does what a fault says; its delay is over.
    async fn misbehave(self, fault: Fault, weight: usize) -> Result<Answer, Cut> {
        self.close(Outcome::Faulted);
        match fault.action {
            Action::Refuse(refusal) => {
                let refusal = self.api.word(refusal);
                let answer = self.respond_refusal(&refusal, &fault.headers);
                self.note(refusal, weight);
                Ok(answer)
            }
            Action::Respond { status, body } => {
                Ok(self.respond(status, &fault.headers, body, false))
            }
            Action::Raw(bytes) => {
                self.instead.set(bytes);
                Ok(Response::default())
            }
            Action::Hang | Action::HangAccepted => std::future::pending().await,
            Action::Proceed
            | Action::CutUnread
            | Action::CutAccepted
            | Action::TruncateAccepted => Err(Cut),
        }
    }

    fn refuse(&self, refusal: Refusal, weight: usize) -> Answer {
        let refusal = self.api.word(refusal);
        self.close(Outcome::Refused(refusal.code.clone().into_owned()));
        let answer = self.respond_refusal(&refusal, &[]);
        self.note(refusal, weight);
        answer
    }

    fn note(&self, refusal: Refusal, weight: usize) {
        let refused = RefusedRequest {
            at: self.arrival.now.into(),
            instant: self.arrival.instant,
            operation: self.operation.clone(),
            refusal,
            points: weight,
        };
        self.state
            .change(|inner| self.api.journal(inner).refuse(refused));
    }

    fn close(&self, outcome: Outcome) {
        self.state
            .change(|inner| self.api.journal(inner).close(self.number, outcome));
    }

    fn respond_refusal(&self, refusal: &Refusal, headers: &[(String, String)]) -> Answer {
        let (own, body) = self.api.refusal(refusal);
        self.respond(refusal.status, &[&own, headers].concat(), body, true)
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
            response = response.header("x-amzn-requestid", self.api.request_id(self.number));
        }
        for (name, value) in headers {
            response = response.header(name, value);
        }
        response
            .body(Full::new(body))
            .expect("a fault's headers are ones of HTTP")
    }
}
