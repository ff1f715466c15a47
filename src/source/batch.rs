//! JSON values one after another, each alone or in an array.

use std::fmt;
use std::io::BufRead;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};

use crate::error::{At, SourceError};

/// An object or an array of them, told apart by the first byte so that an error keeps its line and cause.
struct Batch<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Batch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
            type Value = Batch<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array of objects")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Batch<T>, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| Batch(vec![one]))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Batch<T>, S::Error> {
                let mut many = Vec::new();
                while let Some(one) = seq.next_element()? {
                    many.push(one);
                }
                Ok(Batch(many))
            }
        }

        deserializer.deserialize_any(OneOrMany(PhantomData))
    }
}

/// Reads the values. The parser does not keep the line where a value began, so they are counted.
pub(super) fn values<T: DeserializeOwned>(
    reader: impl BufRead,
    expected: &'static str,
) -> impl Iterator<Item = Result<(At, T), SourceError>> {
    let mut batches = serde_json::Deserializer::from_reader(reader).into_iter::<Batch<T>>();
    let mut pending = Vec::new().into_iter();
    let mut number = 0_u64;
    std::iter::from_fn(move || {
        loop {
            if let Some(value) = pending.next() {
                number += 1;
                return Some(Ok((At::Entry(number), value)));
            }
            match batches.next()? {
                Ok(Batch(values)) => pending = values.into_iter(),
                Err(error) => return Some(Err(SourceError::json(At::Entry(number + 1), expected, error))),
            }
        }
    })
}
