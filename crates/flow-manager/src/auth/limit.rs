//! How often an address may give a wrong token.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Wrong tokens at once, and how long each counts. 256 bits are not guessed at any rate, so a
/// right token is taken whatever was counted: this tells who is wrong to wait.
const BURST: u32 = 20;
const REGAINED: Duration = Duration::from_secs(2);
/// Most addresses that are remembered.
const ADDRESSES_MAX: usize = 4096;

/// Counts wrong tokens by address. An IPv6 network of 64 bits is one: it is one customer's.
#[derive(Debug, Default)]
pub struct RateLimit(Mutex<HashMap<Option<IpAddr>, (u32, Instant)>>);

impl RateLimit {
    /// Whether an address gave few wrong tokens lately.
    pub fn allows(&self, address: Option<IpAddr>, now: Instant) -> bool {
        let mut wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = address.map(network);
        let Some((count, since)) = wrong.get_mut(&key) else {
            return true;
        };
        regain(count, since, now);
        *count < BURST
    }

    /// An address gave a wrong token.
    pub fn count(&self, address: Option<IpAddr>, now: Instant) {
        let mut wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= ADDRESSES_MAX {
            wrong.retain(|_, (count, since)| {
                regain(count, since, now);
                *count > 0
            });
        }
        if wrong.len() >= ADDRESSES_MAX {
            // So many at once are no people: the oldest start anew.
            let oldest = wrong.iter().min_by_key(|(_, (_, since))| *since);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                wrong.remove(&key);
            }
        }
        let (count, since) = wrong.entry(address.map(network)).or_insert((0, now));
        regain(count, since, now);
        *count = (*count + 1).min(BURST);
    }
}

fn regain(count: &mut u32, since: &mut Instant, now: Instant) {
    let regained = now.saturating_duration_since(*since).as_secs() / REGAINED.as_secs();
    if regained > 0 {
        *count = count.saturating_sub(u32::try_from(regained).unwrap_or(u32::MAX));
        *since = now;
    }
}

/// What counts as one address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_tokens_are_counted_by_address_and_forgotten_with_time() {
        let (limit, now) = (RateLimit::default(), Instant::now());
        let address = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let (a, b) = (address("192.0.2.1"), address("192.0.2.2"));
        for _ in 0..10_000 {
            limit.count(a, now);
        }
        assert!(!limit.allows(a, now) && limit.allows(b, now));
        assert!(!limit.allows(address("::ffff:192.0.2.1"), now));
        assert!(limit.allows(a, now + REGAINED));
        limit.count(a, now + REGAINED);
        assert!(!limit.allows(a, now + REGAINED));
        for _ in 0..BURST {
            limit.count(address("2001:db8::1"), now);
        }
        assert!(!limit.allows(address("2001:db8::2"), now));
        for number in 0..3 * ADDRESSES_MAX as u32 {
            limit.count(Some(IpAddr::V4(number.into())), now);
        }
        assert!(limit.0.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
