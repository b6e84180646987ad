//! Connected clients: who they are, and the queue of what is yet to be sent to each.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::auth::Role;

/// Most bytes that wait for one client: longer than a client may sleep, and with a thousand
/// clients only some can be behind.
pub(crate) const QUEUE_MAX: usize = 4 * 1024 * 1024;
/// What a packet costs beside its text.
const COST: usize = 64;
/// Most requests of one client that are under way, and of all with tokens of one name: what a client
/// began goes on when it is gone.
const REQUESTS_MAX: usize = 256;
const REQUESTS_OF_NAME_MAX: usize = 4096;
/// Before a packet is offered again to a library whose own queue is full. It has no way to
/// wait for room.
const DELAY_MIN: Duration = Duration::from_millis(1);
const DELAY_MAX: Duration = Duration::from_millis(50);

/// Packets that are handed over before the library gets a moment to write them. With polling
/// the next answer takes all that are there, and python-engineio refuses more than 16 at once.
const BURST: usize = 8;
const BURST_POLLING: usize = 4;

/// Something that goes to a client.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    Event(&'static str, Arc<RawValue>),
    Ack(i64, Arc<RawValue>),
}

impl Packet {
    /// An acknowledgement costs nothing: it is the object of the event right before it, whose
    /// cost is for both. So an answer that found room is never without it.
    fn cost(&self) -> usize {
        match self {
            Self::Event(_, data) => data.get().len() + COST,
            Self::Ack(..) => 0,
        }
    }
}

/// What became of a packet that was offered to the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Taken,
    Full,
    Closed,
}

/// Where packets go: the library's socket, or a test.
pub(crate) trait Transport: Send + Sync {
    fn send(&self, packet: &Packet) -> Sent;
    /// Whether the client asks for each answer.
    fn is_polling(&self) -> bool;
    /// Ends the connection from this side.
    fn end(&self) -> Sent;
}

/// A client that said who it is.
#[derive(Debug)]
pub struct Client {
    /// Its number, which no other has. The library's id of its connection is a secret while
    /// that is open, and the same when it leaves and comes again in it.
    pub(crate) number: u64,
    /// The name of its token.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) role: Role,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    packets: VecDeque<Packet>,
    bytes: usize,
    /// It is to be disconnected: packets are missing.
    overflowed: bool,
    closed: bool,
}

/// The requests that are under way, by client and by the name of its token.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    by_client: HashMap<u64, usize>,
    by_name: HashMap<String, usize>,
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct UnderWay {
    requests: Requests,
    client: Arc<Client>,
}

impl Requests {
    /// Counts a request of a client, unless too many are under way.
    pub(crate) fn begin(&self, client: &Arc<Client>) -> Option<UnderWay> {
        let mut counts = self.lock();
        let of_client = counts.by_client.get(&client.number).copied();
        let of_name = counts.by_name.get(&client.name).copied();
        if of_client >= Some(REQUESTS_MAX) || of_name >= Some(REQUESTS_OF_NAME_MAX) {
            return None;
        }
        *counts.by_client.entry(client.number).or_default() += 1;
        *counts.by_name.entry(client.name.clone()).or_default() += 1;
        Some(UnderWay {
            requests: self.clone(),
            client: client.clone(),
        })
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut counts = self.requests.lock();
        let Counts { by_client, by_name } = &mut *counts;
        count_down(by_client, &self.client.number);
        count_down(by_name, &self.client.name);
    }
}

/// One less; what has none is not remembered.
fn count_down<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Client {
    /// A client to which nothing was sent yet.
    #[must_use]
    pub fn new(number: u64, name: String, role: Role) -> Self {
        Self {
            number,
            name,
            role,
            queue: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Puts a packet behind those that wait. A client whose queue is full is disconnected; what
    /// it missed it can ask for when it is back. False if that, or its end, has come.
    pub(crate) fn push(&self, packet: Packet) -> bool {
        let mut queue = self.lock();
        if queue.closed || queue.overflowed {
            return false;
        }
        let cost = packet.cost();
        if cost > 0 && queue.bytes + cost > QUEUE_MAX && !queue.packets.is_empty() {
            *queue = Queue {
                overflowed: true,
                ..Queue::default()
            };
        } else {
            queue.bytes += cost;
            queue.packets.push_back(packet);
        }
        let goes_on = !queue.overflowed;
        drop(queue);
        self.changed.notify_one();
        goes_on
    }

    /// Nothing is sent any more; false if that was so already.
    pub(crate) fn close(&self) -> bool {
        let queue = std::mem::replace(
            &mut *self.lock(),
            Queue {
                closed: true,
                ..Queue::default()
            },
        );
        self.changed.notify_one();
        !queue.closed
    }

    /// Disconnects it.
    pub(crate) fn disconnect(&self) {
        self.lock().overflowed = true;
        self.changed.notify_one();
    }

    /// Whether it is disconnected, or is to be.
    pub(crate) fn is_over(&self) -> bool {
        let queue = self.lock();
        queue.closed || queue.overflowed
    }

    /// Sends what waits until the client is gone.
    pub(crate) async fn forward(&self, transport: &dyn Transport) {
        let (mut delay, mut burst) = (DELAY_MIN, 0);
        loop {
            let (packet, overflowed) = {
                let mut queue = self.lock();
                if queue.closed {
                    return;
                }
                let packet = queue.packets.pop_front();
                if let Some(packet) = &packet {
                    queue.bytes -= packet.cost();
                }
                (packet, queue.overflowed)
            };
            let sent = match &packet {
                _ if overflowed => transport.end(),
                Some(packet) => transport.send(packet),
                None => {
                    self.changed.notified().await;
                    continue;
                }
            };
            match sent {
                Sent::Taken if overflowed => return,
                Sent::Taken => {
                    delay = DELAY_MIN;
                    burst += 1;
                    match transport.is_polling() {
                        true if burst >= BURST_POLLING => {
                            tokio::time::sleep(DELAY_MIN).await;
                            burst = 0;
                        }
                        false if burst >= BURST => {
                            tokio::task::yield_now().await;
                            burst = 0;
                        }
                        _ => {}
                    }
                }
                Sent::Closed => return,
                Sent::Full => {
                    if let Some(packet) = packet.filter(|_| !overflowed) {
                        self.put_back(packet);
                    }
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(DELAY_MAX);
                }
            }
        }
    }

    fn put_back(&self, packet: Packet) {
        let mut queue = self.lock();
        if !queue.closed && !queue.overflowed {
            queue.bytes += packet.cost();
            queue.packets.push_front(packet);
        }
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::json::raw;

    /// Takes so many packets, then none until it is told to.
    #[derive(Debug, Default)]
    struct Narrow {
        room: AtomicUsize,
        taken: Mutex<Vec<String>>,
        ended: AtomicUsize,
    }

    impl Transport for Narrow {
        fn send(&self, packet: &Packet) -> Sent {
            if self
                .room
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| {
                    room.checked_sub(1)
                })
                .is_err()
            {
                return Sent::Full;
            }
            let (Packet::Event(_, data) | Packet::Ack(_, data)) = packet;
            self.taken.lock().unwrap().push(data.get().to_owned());
            Sent::Taken
        }

        fn is_polling(&self) -> bool {
            true
        }

        fn end(&self) -> Sent {
            self.ended.fetch_add(1, Ordering::SeqCst);
            Sent::Taken
        }
    }

    fn client() -> Arc<Client> {
        Arc::new(Client::new(1, "n".to_owned(), Role::Read))
    }

    #[tokio::test(start_paused = true)]
    async fn packets_wait_in_order_while_the_library_has_no_room() {
        let (client, narrow) = (client(), Arc::new(Narrow::default()));
        for number in 0..5 {
            assert!(client.push(Packet::Event("e", raw(&number).into())));
        }
        let (forwarding, transport) = (client.clone(), narrow.clone());
        let task = tokio::spawn(async move { forwarding.forward(&*transport).await });
        for room in 1..=5 {
            narrow.room.store(1, Ordering::SeqCst);
            while narrow.taken.lock().unwrap().len() < room {
                tokio::time::sleep(DELAY_MAX).await;
            }
        }
        assert_eq!(*narrow.taken.lock().unwrap(), ["0", "1", "2", "3", "4"]);
        client.close();
        task.await.unwrap();
    }

    #[tokio::test]
    async fn client_that_does_not_read_is_disconnected_and_costs_no_more() {
        let (client, narrow) = (client(), Narrow::default());
        let big: Arc<RawValue> = raw(&"x".repeat(1024 * 1024)).into();
        for _ in 0..3 {
            assert!(client.push(Packet::Event("e", big.clone())));
        }
        assert!(!client.push(Packet::Event("e", big.clone())));
        assert!(!client.push(Packet::Event("e", raw(&1).into())));
        assert_eq!(client.lock().bytes, 0);
        client.forward(&narrow).await;
        assert_eq!(
            (
                narrow.ended.load(Ordering::SeqCst),
                narrow.taken.lock().unwrap().len()
            ),
            (1, 0)
        );
    }

    #[test]
    fn answer_and_its_acknowledgement_find_room_together() {
        let client = client();
        for megabytes in [3, 5] {
            client.lock().packets.clear();
            client.lock().bytes = 0;
            let answer: Arc<RawValue> = raw(&"x".repeat(megabytes << 20)).into();
            assert!(client.push(Packet::Event("resumed", answer.clone())));
            assert!(client.push(Packet::Ack(1, answer)), "{megabytes} MiB");
        }
    }

    #[test]
    fn requests_under_way_are_bounded() {
        let (requests, client) = (Requests::default(), client());
        let begin = |client: &Arc<Client>| requests.begin(client);
        let under_way: Vec<_> = (0..REQUESTS_MAX).map(|_| begin(&client).unwrap()).collect();
        assert!(begin(&client).is_none());
        drop(under_way);
        assert!(begin(&client).is_some());
    }

    #[test]
    fn who_comes_again_and_again_has_no_more_requests_under_way() {
        let requests = Requests::default();
        let mut under_way = Vec::new();
        for number in 0..100 {
            let name = "n".to_owned();
            let client = Arc::new(Client::new(number, name, Role::Read));
            under_way.extend((0..REQUESTS_MAX).map_while(|_| requests.begin(&client)));
            client.close();
        }
        assert_eq!(under_way.len(), REQUESTS_OF_NAME_MAX);
        let other = Arc::new(Client::new(100, "other".to_owned(), Role::Read));
        assert!(requests.begin(&other).is_some());
        under_way.clear();
        let counts = requests.lock();
        assert!(counts.by_client.is_empty() && counts.by_name.is_empty());
    }
}
