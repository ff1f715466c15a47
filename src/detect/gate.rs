//! What a look at the columns rules out, before a detector is asked.
//!
//! Morally every kind that is wanted is asked about every transaction; nearly all answers are nothing, and a detector's first questions
//! (how many inputs and outputs, any data, any two equal values) cost more through cursors than in the columns. Invariant: a kind that the
//! gate rules out has no finding. It repeats conditions that stand in the detectors' files, each of them necessary there; the test that
//! [`scan`](super::scan) says what [`all`](super::all) says watches over it.

use std::ops::Range;

use super::{Kind, Options, payjoin};
use crate::chain::{Hot, View};
use crate::id::TxIndex;

pub(crate) struct Gate<'c> {
    hot: Hot<'c>,
    kinds: Vec<Kind>,
    /// Those of them that one coin for one or two payees can be without data, as half of all transactions are.
    of_one_coin: Vec<Kind>,
    /// The same of several coins.
    of_few_payees: Vec<Kind>,
    /// What a transaction without data can be.
    without_data: Vec<Kind>,
    /// Lists name transactions of any form.
    is_listed: bool,
    dormant_sat: u64,
}

/// Of several transactions, or of addresses: `service` finds them.
const ELSEWHERE: [Kind; 3] = [Kind::Peel, Kind::CustodialMixer, Kind::Deposit];

/// The positions and numbers of a transaction's inputs and outputs.
struct Look {
    inputs: Range<usize>,
    outputs: Range<usize>,
}

impl<'c> Gate<'c> {
    pub(crate) fn of(view: View<'c>, options: &Options) -> Self {
        let wanted = || options.kinds.iter().copied();
        let of = |kinds: &[Kind]| wanted().filter(|kind| kinds.contains(kind)).collect();
        let without =
            |kinds: &[Kind]| wanted().filter(|kind| !kinds.contains(kind) && !ELSEWHERE.contains(kind)).collect();
        Self {
            hot: Hot::of(view),
            kinds: without(&[]),
            without_data: without(&[Kind::Premix, Kind::Swap]),
            of_one_coin: of(&[Kind::Dormant]),
            of_few_payees: of(&[Kind::Payjoin, Kind::Consolidation, Kind::Dormant]),
            is_listed: !options.coinjoin.allow.is_empty() || !options.coinjoin.veto.is_empty(),
            dormant_sat: options.dormant.value_min.to_sat(),
        }
    }

    /// Hands over the kinds of which there may be a finding, in order.
    pub(crate) fn ask(&self, tx: TxIndex, mut then: impl FnMut(Kind)) {
        if self.hot.is_coinbase(tx) {
            return;
        }
        let look = Look { inputs: self.hot.inputs(tx), outputs: self.hot.outputs(tx) };
        let has_data = self.hot.has_data(look.outputs.clone());
        let few = look.outputs.len() <= 2 && !has_data && !self.is_listed;
        let kinds = match (few, look.inputs.len()) {
            (true, 1) => &self.of_one_coin,
            (true, _) => &self.of_few_payees,
            (false, _) if has_data => &self.kinds,
            (false, _) => &self.without_data,
        };
        for kind in kinds {
            if self.may_be(*kind, &look, has_data) {
                then(*kind);
            }
        }
    }

    fn may_be(&self, kind: Kind, look: &Look, has_data: bool) -> bool {
        let (inputs, outputs) = (look.inputs.len(), look.outputs.len());
        match kind {
            Kind::Coinjoin => self.is_listed || (inputs >= 2 && outputs >= 3 && self.has_equal(look)),
            Kind::Premix => has_data && outputs >= 3,
            Kind::Swap => has_data,
            Kind::Payjoin => {
                let few = (2..=payjoin::INPUTS_MAX).contains(&inputs);
                outputs == 2 && few && self.least_output(look) >= self.least_input(look)
            }
            Kind::Batch => outputs >= 10 && inputs * 2 <= outputs,
            Kind::Consolidation => inputs >= 10 && outputs <= 3,
            Kind::FanOut => outputs >= 5 && inputs <= 2,
            Kind::Dormant => self.input_values(look).fold(0, u64::saturating_add) >= self.dormant_sat,
            Kind::Dust => outputs >= 5 && self.values(look).filter(|sat| *sat <= 1_000).count() >= 5,
            Kind::Structuring => outputs >= 3 && self.values(look).filter(|sat| *sat >= 9_500_000).count() >= 3,
            Kind::Peel | Kind::CustodialMixer => false,
            Kind::Deposit | Kind::HotWallet | Kind::ColdWallet | Kind::Pool | Kind::Processor => false,
        }
    }

    fn values(&self, look: &Look) -> impl Iterator<Item = u64> {
        self.hot.values(look.outputs.clone()).iter().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// An unknown value reads as more than all money, so that it never rules out what looks for much.
    fn input_values(&self, look: &Look) -> impl Iterator<Item = u64> {
        self.hot.input_values(look.inputs.clone()).iter().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn least_output(&self, look: &Look) -> u64 {
        self.values(look).min().unwrap_or(0)
    }

    fn least_input(&self, look: &Look) -> u64 {
        self.input_values(look).min().unwrap_or(0)
    }

    /// Of many outputs the detector finds out itself.
    fn has_equal(&self, look: &Look) -> bool {
        const FEW: usize = 8;
        let values = self.hot.values(look.outputs.clone());
        values.len() > FEW || values.iter().enumerate().any(|(at, value)| values[..at].contains(value))
    }
}
