//! What a transaction weighs and pays, before there are bytes to weigh.

use super::plan::Form;
use super::town::Town;
use crate::id;

impl Town {
    /// The usual fee of a wallet for spending these coins to so many outputs of its own form, in sat.
    pub(super) fn fee(&self, by: u32, inputs: &[u32], outputs: usize) -> u64 {
        let size = inputs.iter().map(|slot| input_size(self.coins.get(*slot).form)).sum();
        self.fee_of_size(by, size, outputs)
    }

    /// The same for inputs of so many virtual bytes in all.
    pub(super) fn fee_of_size(&self, by: u32, inputs: u64, outputs: usize) -> u64 {
        let habit = self.of(by).habit;
        let size = 11 + inputs + id::number(outputs) * 34;
        let mut rate = (self.rate * u64::from(habit.fee) / 1000).clamp(1_000, 200_000);
        if habit.whole_rates {
            rate = rate / 1000 * 1000;
        }
        size * rate / 1000
    }
}

/// Virtual bytes of an input that spends a script of this form, signatures of 72 bytes.
pub(super) fn input_size(form: Form) -> u64 {
    match form {
        Form::P2pk => 114,
        Form::P2pkh => 148,
        Form::BareMultisig => 189,
        Form::P2shMultisig => 298,
        Form::P2shP2wpkh => 91,
        Form::P2shP2wsh => 140,
        Form::P2wpkh => 68,
        Form::P2wsh => 105,
        Form::P2tr => 58,
    }
}
