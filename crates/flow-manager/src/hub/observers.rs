//! What the hub hears of, and what it tells of that.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Hub, RoomName};
use crate::activity::{Activity, ActivityObserver};
use crate::containers::{ContainerObserver, WeakContainerManager};
use crate::flow::{FlowEvent, FlowObserver};
use crate::json::raw;
use crate::model::{ContainerState, ContainerStatus};
use crate::system_log::{Direction, SystemLogger};

#[derive(Serialize)]
struct StatusUpdate<'a> {
    epoch: &'a str,
    seq: u64,
    container_id: &'a str,
    old_state: ContainerState,
    status: Option<&'a ContainerStatus>,
}

#[derive(Serialize)]
struct ActivityLog<'a> {
    epoch: &'a str,
    seq: u64,
    #[serde(flatten)]
    activity: &'a Activity,
}

#[derive(Serialize)]
struct ActorData<'a> {
    actor: &'a str,
    event: &'a str,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct ContainerMessage<'a> {
    epoch: &'a str,
    seq: u64,
    container_id: &'a str,
    kind: &'a str,
    name: &'a str,
    data: &'a RawValue,
}

impl ActivityObserver for Hub {
    fn happened(&self, activity: &Activity) {
        let epoch = &*self.epoch;
        self.tell(RoomName::All, "activity_log", |seq| {
            raw(&ActivityLog {
                epoch,
                seq,
                activity,
            })
        });
    }
}

impl ContainerObserver for Hub {
    fn status_changed(
        &self,
        id: &str,
        name: &str,
        old: ContainerState,
        status: Option<&ContainerStatus>,
    ) {
        let epoch = &*self.epoch;
        self.tell(RoomName::All, "status_update", |seq| {
            raw(&StatusUpdate {
                epoch,
                seq,
                container_id: id,
                old_state: old,
                status,
            })
        });
        if status.is_none() {
            self.log_is_gone(id);
        }
        let new = status.map(|status| status.state);
        if new == Some(old) {
            return;
        }
        SystemLogger.log_state_change(id, old, new);
        let Some(activity) = self.activity() else {
            return;
        };
        match new {
            Some(ContainerState::Running) if old != ContainerState::Paused => {
                activity.log_container_started(id, name)
            }
            Some(ContainerState::Stopped) => activity.log_container_stopped(id, name),
            Some(state) => {
                let kind = format!("container_{state}");
                activity.log_user_activity(
                    &kind,
                    Some(id),
                    &format!("{name} is {state}"),
                    json!({}),
                );
            }
            None => activity.log_user_activity(
                "container_deleted",
                Some(id),
                &format!("{name} deleted"),
                json!({}),
            ),
        }
    }

    fn engine_changed(&self, is_there: bool) {
        let (kind, message) = match is_there {
            true => ("engine_available", "Docker answers"),
            false => (
                "engine_unavailable",
                "Docker does not answer: states may be wrong",
            ),
        };
        if let Some(activity) = self.activity() {
            activity.log_user_activity(kind, None, message, Value::Object(serde_json::Map::new()));
        }
    }
}

impl FlowObserver for Hub {
    fn connection_changed(&self, id: &str) {
        if let Some(containers) = self
            .containers
            .get()
            .and_then(WeakContainerManager::upgrade)
        {
            containers.connection_changed(id);
        }
    }

    fn flow_event(&self, id: &str, event: &FlowEvent) {
        let epoch = &*self.epoch;
        let tell = |kind: &str, name: &str, data: &RawValue| {
            SystemLogger.log_communication(id, Direction::FromFlow, data.get());
            self.tell(RoomName::Operate, "container_message", |seq| {
                raw(&ContainerMessage {
                    epoch,
                    seq,
                    container_id: id,
                    kind,
                    name,
                    data,
                })
            });
        };
        match event {
            FlowEvent::Event { name, data } => tell("event", name, data),
            FlowEvent::Actor { actor, event, data } => {
                tell("actor", event, &raw(&ActorData { actor, event, data }));
                // The feed is for people, and for those who only read: without the data.
                if let Some(activity) = self.activity() {
                    activity.log_actor_event(id, actor, event);
                }
            }
        }
    }
}
