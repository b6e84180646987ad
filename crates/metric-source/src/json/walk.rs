//! One pass over a document: down the steps of a pointer, and past all else.
//!
//! What is passed over is read as strictly as what is kept (serde's own way to ignore a
//! value takes numbers out of range, broken escapes and any depth), so that a document is
//! broken or sound whatever the pointer.

use std::fmt;

use serde_core::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// What stands at the end of the steps, if anything does. Of it no more than `left` values
/// are kept, the first ones; `left` tells how many more there was room for.
pub(super) fn follow(
    document: &str,
    steps: &[String],
    left: &mut usize,
) -> serde_json::Result<Option<Value>> {
    let mut reader = serde_json::Deserializer::from_str(document);
    let found = Follow { steps, left }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// Goes down the steps.
struct Follow<'a> {
    steps: &'a [String],
    left: &'a mut usize,
}

/// Keeps a value, up to a number of values within it.
struct Keep<'a>(&'a mut usize);

/// Reads a value and keeps nothing.
struct Pass;

/// Reads the name of a member and tells whether it is this one.
struct IsName<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Follow<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Option<Value>, D::Error> {
        if self.steps.is_empty() {
            Keep(self.left).deserialize(reader).map(Some)
        } else {
            reader.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Follow<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Value>, A::Error> {
        let mut found = None;
        if let Some(place) = place(&self.steps[0]) {
            for _ in 0..place {
                if list.next_element_seed(Pass)?.is_none() {
                    return Ok(None);
                }
            }
            let steps = &self.steps[1..];
            let left = self.left;
            found = list.next_element_seed(Follow { steps, left })?.flatten();
        }
        while list.next_element_seed(Pass)?.is_some() {}
        Ok(found)
    }

    /// Of members with the same name the last one holds.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<Value>, A::Error> {
        let mut found = None;
        let room = *self.left;
        while let Some(is_next) = members.next_key_seed(IsName(&self.steps[0]))? {
            if is_next {
                *self.left = room;
                let steps = &self.steps[1..];
                let left = &mut *self.left;
                found = members.next_value_seed(Follow { steps, left })?;
            } else {
                members.next_value_seed(Pass)?;
            }
        }
        Ok(found)
    }
}

impl<'de> DeserializeSeed<'de> for Keep<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        *self.0 = self.0.saturating_sub(1);
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keep<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while *self.0 > 0 {
            match list.next_element_seed(Keep(self.0))? {
                Some(value) => kept.push(value),
                None => return Ok(kept.into()),
            }
        }
        while list.next_element_seed(Pass)?.is_some() {}
        Ok(kept.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while *self.0 > 0 {
            match members.next_key::<String>()? {
                Some(name) => kept.insert(name, members.next_value_seed(Keep(self.0))?),
                None => return Ok(kept.into()),
            };
        }
        while members.next_key_seed(Pass)?.is_some() {
            members.next_value_seed(Pass)?;
        }
        Ok(kept.into())
    }
}

impl<'de> DeserializeSeed<'de> for Pass {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pass {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key_seed(Self)?.is_some() {
            members.next_value_seed(Self)?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// The place in a list that a step names (RFC 6901, 4).
fn place(step: &str) -> Option<usize> {
    let is_number = step.bytes().all(|byte| byte.is_ascii_digit());
    let has_zeros = step.starts_with('0') && step.len() > 1;
    step.parse().ok().filter(|_| is_number && !has_zeros)
}
