//! Public keys: true points of secp256k1, by repeated addition.
//!
//! The n-th key of a world is `(offset + n) G`. A key costs one addition, and the division that makes a point affine is shared by a whole
//! run of them (Montgomery's trick, in `k256`'s `batch_normalize`).

use k256::elliptic_curve::BatchNormalize;
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::{AffinePoint, ProjectivePoint, Scalar};

use crate::id;
use crate::par;

/// A public key, compressed.
pub(super) type Key = [u8; 33];

/// Keys that are computed together.
const RUN: u64 = 1024;

/// The keys of one world, by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    offset: u64,
}

impl Keys {
    pub(super) fn new(offset: u64) -> Self {
        Self { offset }
    }

    /// The keys from a number on.
    pub(super) fn from(self, first: u64, count: usize) -> Vec<Key> {
        let end = first + id::number(count);
        let starts: Vec<u64> = (first..end).step_by(id::at(RUN)).collect();
        par::map(&starts, |start| self.run(*start, RUN.min(end - start))).concat()
    }

    fn run(self, first: u64, count: u64) -> Vec<Key> {
        // Never zero: the upper half is at least one.
        let scalar = ((u128::from(self.offset) | 1) << 64) + u128::from(first);
        let mut point = ProjectivePoint::GENERATOR * Scalar::from(scalar);
        let points: Vec<ProjectivePoint> = (0..count)
            .map(|_| {
                let here = point;
                point += AffinePoint::GENERATOR;
                here
            })
            .collect();
        let affine: Vec<AffinePoint> = ProjectivePoint::batch_normalize(points.as_slice());
        affine.iter().map(compressed).collect()
    }
}

fn compressed(point: &AffinePoint) -> Key {
    let mut key = [0; 33];
    let encoded = point.to_encoded_point(true);
    key.copy_from_slice(encoded.as_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_depend_on_runs_and_are_points() {
        let keys = Keys::new(77);
        let all = keys.from(0, 3000);
        assert_eq!([keys.from(0, 1000), keys.from(1000, 1), keys.from(1001, 1999)].concat(), all);
        for key in all.iter().step_by(97) {
            assert!(bitcoin::PublicKey::from_slice(key).is_ok());
        }
        let secret = bitcoin::secp256k1::SecretKey::from_slice(
            &[[0; 8], [0; 8], 77_u64.to_be_bytes(), 5_u64.to_be_bytes()].concat(),
        );
        let secp = bitcoin::secp256k1::Secp256k1::new();
        let public = secret.expect("not zero").public_key(&secp);
        assert_eq!(public.serialize(), all[5]);
    }
}
