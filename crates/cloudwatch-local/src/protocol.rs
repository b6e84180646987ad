//! Smithy RPC v2 CBOR: reads the input of `PutMetricData`, writes errors. Nothing is
//! judged here; what a member holds is the business of `rules`.

use minicbor::data::Type;
use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};

use crate::refusal::Refusal;

// How much each list may hold (API Reference, `PutMetricData` and `MetricDatum`). One element
// more is read, for `rules` to see that there are too many; the rest is passed over, lest a
// body of empty elements takes hundreds of times its size.
pub(crate) const DATA_MAX: usize = 1000;
pub(crate) const DIMENSIONS_MAX: usize = 30;
/// Most distinct values of one datum.
pub(crate) const VALUES_MAX: usize = 150;

/// The input of `PutMetricData`, as it was sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Input {
    pub(crate) namespace: Option<String>,
    pub(crate) data: Vec<Datum>,
    /// Data tied to entities, which this endpoint does not take.
    pub(crate) has_entities: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Datum {
    pub(crate) name: Option<String>,
    pub(crate) dimensions: Vec<Dimension>,
    /// Unix seconds.
    pub(crate) timestamp: Option<f64>,
    pub(crate) value: Option<f64>,
    pub(crate) statistics: Option<StatisticSet>,
    pub(crate) values: Option<Vec<f64>>,
    pub(crate) counts: Option<Vec<f64>>,
    pub(crate) unit: Option<String>,
    pub(crate) resolution: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Dimension {
    pub(crate) name: Option<String>,
    pub(crate) value: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StatisticSet {
    pub(crate) sample_count: Option<f64>,
    pub(crate) sum: Option<f64>,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
}

/// Reads a request body, which must hold one input and nothing behind it.
pub(crate) fn read_input(body: &[u8]) -> Result<Input, Refusal> {
    let decoder = &mut Decoder::new(body);
    let input = input(decoder).map_err(|error| {
        Refusal::unreadable(format!(
            "the body is not CBOR of PutMetricData's input: {error}"
        ))
    })?;
    if decoder.position() != body.len() {
        return Err(Refusal::unreadable("the body goes on behind the input"));
    }
    Ok(input)
}

/// The body of an error.
pub(crate) fn write_refusal(refusal: &Refusal) -> Vec<u8> {
    let mut body = Encoder::new(Vec::new());
    body.map(2)
        .and_then(|e| e.str("__type")?.str(&refusal.shape()))
        .and_then(|e| e.str("message")?.str(&refusal.message))
        .expect("a Vec takes any bytes");
    body.into_writer()
}

fn input(d: &mut Decoder<'_>) -> Result<Input, Error> {
    let mut input = Input::default();
    members(d, |key, d| {
        match key {
            "Namespace" => input.namespace = Some(text(d)?),
            "MetricData" => input.data = list(d, DATA_MAX, datum)?,
            "EntityMetricData" => {
                input.has_entities = true;
                d.skip()?;
            }
            _ => d.skip()?,
        }
        Ok(())
    })?;
    Ok(input)
}

fn datum(d: &mut Decoder<'_>) -> Result<Datum, Error> {
    let mut datum = Datum::default();
    members(d, |key, d| {
        match key {
            "MetricName" => datum.name = Some(text(d)?),
            "Dimensions" => datum.dimensions = list(d, DIMENSIONS_MAX, dimension)?,
            "Timestamp" => datum.timestamp = Some(timestamp(d)?),
            "Value" => datum.value = Some(number(d)?),
            "StatisticValues" => datum.statistics = Some(statistics(d)?),
            "Values" => datum.values = Some(list(d, VALUES_MAX, number)?),
            "Counts" => datum.counts = Some(list(d, VALUES_MAX, number)?),
            "Unit" => datum.unit = Some(text(d)?),
            "StorageResolution" => datum.resolution = Some(d.i64()?),
            _ => d.skip()?,
        }
        Ok(())
    })?;
    Ok(datum)
}

fn dimension(d: &mut Decoder<'_>) -> Result<Dimension, Error> {
    let mut dimension = Dimension::default();
    members(d, |key, d| {
        match key {
            "Name" => dimension.name = Some(text(d)?),
            "Value" => dimension.value = Some(text(d)?),
            _ => d.skip()?,
        }
        Ok(())
    })?;
    Ok(dimension)
}

fn statistics(d: &mut Decoder<'_>) -> Result<StatisticSet, Error> {
    let mut set = StatisticSet::default();
    members(d, |key, d| {
        match key {
            "SampleCount" => set.sample_count = Some(number(d)?),
            "Sum" => set.sum = Some(number(d)?),
            "Minimum" => set.minimum = Some(number(d)?),
            "Maximum" => set.maximum = Some(number(d)?),
            _ => d.skip()?,
        }
        Ok(())
    })?;
    Ok(set)
}

/// Calls `member` for each key of a map, of known length or not. A member that is null is
/// taken as absent, as the protocol asks for.
fn members<'b>(
    d: &mut Decoder<'b>,
    mut member: impl FnMut(&str, &mut Decoder<'b>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut left = d.map()?;
    while more(d, &mut left)? {
        let key = text(d)?;
        match d.datatype()? {
            Type::Null => d.null()?,
            _ => member(&key, d)?,
        }
    }
    Ok(())
}

fn list<'b, T>(
    d: &mut Decoder<'b>,
    max: usize,
    item: impl Fn(&mut Decoder<'b>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut items = Vec::new();
    let mut left = d.array()?;
    while more(d, &mut left)? {
        if items.len() > max {
            d.skip()?;
        } else {
            items.push(item(d)?);
        }
    }
    Ok(items)
}

/// Whether another item follows; takes the break that ends a container of unknown length.
fn more(d: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, Error> {
    match left {
        Some(0) => Ok(false),
        Some(n) => {
            *n -= 1;
            Ok(true)
        }
        None if d.datatype()? == Type::Break => {
            d.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

fn text(d: &mut Decoder<'_>) -> Result<String, Error> {
    match d.datatype()? {
        Type::StringIndef => d.str_iter()?.collect(),
        _ => d.str().map(str::to_owned),
    }
}

fn number(d: &mut Decoder<'_>) -> Result<f64, Error> {
    match d.datatype()? {
        Type::F16 => d.f16().map(f64::from),
        Type::F32 => d.f32().map(f64::from),
        Type::F64 => d.f64(),
        _ => {
            let integer = i128::from(d.int()?);
            // Integers beyond 2^53 lose digits here, as they do in the service's doubles.
            Ok(integer as f64)
        }
    }
}

fn timestamp(d: &mut Decoder<'_>) -> Result<f64, Error> {
    const EPOCH: u64 = 1;
    let tag = d.tag()?;
    if tag.as_u64() != EPOCH {
        return Err(Error::message("a timestamp must have tag 1"));
    }
    number(d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_known_length_and_integers_are_read_as_well() {
        let mut body = Encoder::new(Vec::new());
        body.map(2)
            .and_then(|e| e.str("Namespace")?.str("Ns")?.str("MetricData")?.array(1))
            .and_then(|e| e.map(3)?.str("Value")?.u8(7)?.str("Later")?.null())
            .and_then(|e| e.str("Unit")?.null())
            .unwrap();
        let input = read_input(&body.into_writer()).unwrap();
        assert_eq!(input.namespace.as_deref(), Some("Ns"));
        assert_eq!(input.data[0].value, Some(7.0));
        assert_eq!(input.data[0].unit, None);
    }

    #[test]
    fn of_too_many_elements_one_more_than_allowed_is_kept() {
        let mut body = Encoder::new(Vec::new());
        body.map(1)
            .and_then(|e| e.str("MetricData")?.array(900_000))
            .unwrap();
        let mut body = body.into_writer();
        body.extend([0xa0].repeat(900_000));
        let input = read_input(&body).unwrap();
        assert_eq!(input.data.len(), DATA_MAX + 1);
        assert!(input.data.capacity() < 2 * DATA_MAX + 2);
    }

    #[test]
    fn what_is_no_input_is_refused() {
        for bad in [&b""[..], b"\xbf", b"\xa0\x00", b"{\"json\": true}", b"\x80"] {
            let refusal = read_input(bad).unwrap_err();
            assert_eq!(refusal.code, "SerializationException", "{bad:?}");
        }
    }
}
