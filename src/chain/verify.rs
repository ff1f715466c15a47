//! Whether a store is whole and sound: every hash, then everything that reading relies on.

use bitcoin::Amount;
use bitcoin::hashes::{Hash, sha256};

use super::columns::{Columns, NO_ADDRESS, NO_OUTPUT, NO_TX, UNKNOWN_TYPE, UNKNOWN_VALUE, flag};
use super::counts::{
    BY_TYPE, FEES_SAT, HEIGHTS, POSITIONS, PREVOUTS_CLAIMED, PREVOUTS_PROVEN, PREVOUTS_UNKNOWN, PROVEN, TIMES, UNSPENT,
    UNSPENT_SAT,
};
use super::format::{ADDRESS_STRIDE, Column, prefix_bits};
use super::merkle;
use super::script::{ScriptType, canonical, payload};
use super::write::{prefix_of, script_key};
use super::{Chain, Output, Tx, View};
use crate::error::{Error, StoreError};
use crate::id::{self, AddressIndex, InputIndex, OutputIndex, TxIndex};
use crate::par;

impl<D: AsRef<[u8]>> Chain<D> {
    /// Checks all of the store: first that each column hashes to what the directory says, then that the columns fit together, so
    /// that no question to a view can meet an index that leads nowhere, and that the transactions give the headers' merkle roots.
    ///
    /// # Errors
    ///
    /// [`Error::is_store`]; the message names the column.
    ///
    /// # Complexity
    ///
    /// Linear in the size of the store, hashing on the caller's rayon pool.
    ///
    /// # Examples
    ///
    /// ```
    /// use fundtrace::{Chain, ChainBuilder};
    /// let chain = ChainBuilder::new().finish()?;
    /// chain.verify()?;
    /// let mut bytes = chain.into_bytes();
    /// *bytes.last_mut().unwrap() ^= 1;
    /// let error = Chain::from_bytes(bytes)?.verify().unwrap_err();
    /// assert!(error.to_string().contains("column totals"));
    /// # Ok::<(), fundtrace::Error>(())
    /// ```
    pub fn verify(&self) -> Result<(), Error> {
        let columns = self.columns();
        let hashed = par::map(&Column::ALL, |column| {
            sha256::Hash::hash(columns.bytes_of(*column)) == columns.layout().hash_of(*column)
        });
        if let Some(at) = hashed.iter().position(|whole| !whole) {
            return Err(StoreError::Column { name: Column::ALL[at].name() }.into());
        }
        Ok(Sound { columns }.check()?)
    }
}

/// Bytes that hash rightly may still have been written wrongly.
struct Sound<'c> {
    columns: Columns<'c>,
}

fn unsound(column: Column, what: impl std::fmt::Display) -> StoreError {
    StoreError::Unsound { what: format!("column {} {what}", column.name()) }
}

fn demand(holds: bool, column: Column, what: &str) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(unsound(column, what)) }
}

impl Sound<'_> {
    fn check(&self) -> Result<(), StoreError> {
        self.offsets()?;
        self.blocks()?;
        self.spends()?;
        self.scripts()?;
        self.addresses()?;
        self.orders()?;
        self.said()?;
        self.totals()
    }

    fn offsets(&self) -> Result<(), StoreError> {
        let head = &self.columns.layout().head;
        let x = self.columns.layout().entries(Column::BareOutput);
        self.ascends::<5>(Column::TxFirstInput, Some((0, head.inputs)), false)?;
        self.ascends::<5>(Column::TxFirstOutput, Some((0, head.outputs)), false)?;
        self.ascends::<4>(Column::BlockFirstTx, Some((u64::from(head.stubs), u64::from(head.txs))), true)?;
        self.ascends::<4>(Column::BlockHeight, None, true)?;
        let kept = self.columns.layout().entries(Column::BareBytes);
        self.ascends::<5>(Column::BareFirstByte, Some((0, kept)), false)?;
        self.ascends::<5>(Column::BareOutput, None, true)?;
        self.below::<5>(Column::BareOutput, head.outputs)?;
        self.below::<5>(Column::BareByKey, x)?;
        self.ascends::<4>(Column::TxidPrefix, Some((0, u64::from(head.txs))), false)?;
        self.ascends::<4>(Column::AddressPrefix, Some((0, u64::from(head.addresses))), false)?;
        let stubs = self.columns.numbers::<5>(Column::TxFirstOutput).get(id::at(head.stubs));
        let known = self.columns.layout().entries(Column::StubVout) == stubs;
        demand(known, Column::StubVout, "has not one entry for each output of a stub")
    }

    /// That a column ascends, from one number to another where they are given; strictly where no two may be equal.
    fn ascends<const N: usize>(
        &self,
        column: Column,
        ends: Option<(u64, u64)>,
        strictly: bool,
    ) -> Result<(), StoreError> {
        let numbers = self.columns.numbers::<N>(column);
        let falls = |pair: &[[u8; N]]| {
            let [a, b] = [pair[0], pair[1]].map(number);
            b < a || (strictly && a == b)
        };
        demand(!numbers.bytes().windows(2).any(falls), column, "does not ascend")?;
        if let (Some((first, last)), Some(end)) = (ends, numbers.len().checked_sub(1)) {
            let right = (numbers.get(0), numbers.get(end)) == (first, last) || (end == 0 && numbers.get(0) == last);
            demand(right, column, "does not begin and end where it must")?;
        }
        Ok(())
    }

    fn below<const N: usize>(&self, column: Column, end: u64) -> Result<(), StoreError> {
        let inside = self.columns.numbers::<N>(column).bytes().iter().all(|entry| number(*entry) < end);
        demand(inside, column, "names what is not there")
    }

    fn blocks(&self) -> Result<(), StoreError> {
        let mut last = None;
        for block in 0..self.columns.blocks() {
            let txs = self.columns.txs_of_block(block);
            let Some(header) = self.columns.header(block) else { break };
            let txids = (txs.start.to_u32()..txs.end.to_u32())
                .map(|tx| *bitcoin::hashes::Hash::as_byte_array(&self.columns.txid(TxIndex::from_u32(tx))))
                .collect();
            let root = merkle::root(txids) == header.merkle_root.to_byte_array();
            demand(root, Column::Txid, "does not give the merkle root of every header")?;
            let height = self.columns.height_of_block(block);
            if let Some((below, hash)) = last
                && below + 1 == height
            {
                demand(
                    header.prev_blockhash == hash,
                    Column::BlockHeader,
                    "has a header that does not follow the last",
                )?;
            }
            last = Some((height, header.block_hash()));
        }
        Ok(())
    }

    /// The two ends of every spend name each other, and the input's side repeats what stands on the output's.
    fn spends(&self) -> Result<(), StoreError> {
        let columns = self.columns;
        let head = &columns.layout().head;
        let values = columns.numbers::<8>(Column::InputValue);
        let addresses = columns.numbers::<4>(Column::InputAddress);
        let types = columns.bytes_of(Column::InputType);
        let mut spent = 0_u64;
        let mut begins = columns.numbers::<4>(Column::BlockFirstTx).iter().peekable();
        // The outputs of the coinbase of the block at hand.
        let mut own = 0..0;
        for tx in (0..head.txs).map(TxIndex::from_u32) {
            let inputs = columns.inputs_of(tx);
            let coinbase = columns.flags(tx) & flag::COINBASE != 0;
            if begins.next_if_eq(&u64::from(tx.to_u32())).is_some() {
                own = 0..0;
            }
            if coinbase {
                let outputs = columns.outputs_of(tx);
                own = outputs.start.to_u64()..outputs.end.to_u64();
            }
            let mut blind = false;
            for input in inputs.start.to_u64()..inputs.end.to_u64() {
                let at = InputIndex::from_u64(input).at();
                let Some(output) = columns.prevout(InputIndex::from_u64(input)) else {
                    demand(coinbase, Column::InputPrevout, "has an input that spends nothing outside a coinbase")?;
                    continue;
                };
                demand(!coinbase, Column::TxFlags, "calls a transaction that spends something a coinbase")?;
                let earlier = output.to_u64() < columns.outputs_of(tx).start.to_u64();
                demand(earlier, Column::InputPrevout, "names an output that does not stand before its spender")?;
                let paid = own.contains(&output.to_u64());
                demand(!paid, Column::InputPrevout, "names an output of its own block's coinbase")?;
                demand(columns.spender(output) == tx.to_u32(), Column::OutputSpender, "disagrees with input_prevout")?;
                demand(values.get(at) == columns.value(output), Column::InputValue, "disagrees with output_value")?;
                let address = columns.numbers::<4>(Column::OutputAddress).get_u32(output.at());
                demand(addresses.get_u32(at) == address, Column::InputAddress, "disagrees with output_address")?;
                let script_type = columns.bytes_of(Column::OutputType)[output.at()];
                demand(types[at] == script_type, Column::InputType, "disagrees with output_type")?;
                spent += 1;
                blind |= columns.value(output) == UNKNOWN_VALUE;
            }
            let flags = columns.flags(tx);
            demand((flags & flag::BLIND != 0) == blind, Column::TxFlags, "disagrees with input_value")?;
            demand(flags & !flag::ALL == 0, Column::TxFlags, "has flags that mean nothing")?;
        }
        let spenders = columns.numbers::<4>(Column::OutputSpender);
        let named = spenders.bytes().iter().filter(|spender| number(**spender) != u64::from(NO_TX)).count();
        demand(id::number(named) == spent, Column::OutputSpender, "names spenders that spend nothing")
    }

    /// Every output's script is its address's or kept, and not both.
    fn scripts(&self) -> Result<(), StoreError> {
        let columns = self.columns;
        let mut kept = columns.numbers::<5>(Column::BareOutput).iter().peekable();
        for output in (0..columns.layout().head.outputs).map(OutputIndex::from_u64) {
            let code = columns.bytes_of(Column::OutputType)[output.at()];
            let address = columns.numbers::<4>(Column::OutputAddress).get_u32(output.at());
            let known = ScriptType::from_code(u16::from(code));
            demand(known.is_some() || code == UNKNOWN_TYPE, Column::OutputType, "has a type that is none")?;
            let inside = address == NO_ADDRESS || id::at(address) < columns.addresses();
            demand(inside, Column::OutputAddress, "names an address that is not there")?;
            let bare = known.is_some() && (address == NO_ADDRESS || known == Some(ScriptType::P2pk));
            let is_kept = kept.next_if_eq(&output.to_u64()).is_some();
            demand(bare == is_kept, Column::BareOutput, "does not list the scripts that are kept")?;
        }
        Ok(())
    }

    /// Every script is of the type that stands there, and pays the address that stands there.
    fn meanings(&self) -> Result<(), StoreError> {
        let columns = self.columns;
        for address in (0..columns.addresses()).map(AddressIndex::of) {
            let script = columns.address_script(address);
            let own = canonical(script).is_some_and(|canonical| *canonical == *script);
            demand(own, Column::AddressBytes, "has a script that is no address's")?;
        }
        for output in (0..columns.layout().head.outputs).map(OutputIndex::from_u64) {
            let Some(script) = columns.script(output) else { continue };
            let known = Some(ScriptType::of(script)) == columns.script_type(output);
            demand(known, Column::OutputType, "disagrees with the script")?;
            let address = columns.address_of(output).map(|address| columns.address_script(address));
            demand(canonical(script).as_deref() == address, Column::OutputAddress, "disagrees with the script")?;
        }
        Ok(())
    }

    fn addresses(&self) -> Result<(), StoreError> {
        let columns = self.columns;
        let lengths = columns.bytes_of(Column::AddressLength);
        let starts = columns.numbers::<5>(Column::AddressFirstByte);
        let mut start = 0_u64;
        for (at, length) in lengths.iter().enumerate() {
            if id::number(at).is_multiple_of(ADDRESS_STRIDE) {
                let right = starts.get(at / id::at(ADDRESS_STRIDE)) == start;
                demand(right, Column::AddressFirstByte, "disagrees with address_length")?;
            }
            start += u64::from(*length);
        }
        let bytes = columns.layout().entries(Column::AddressBytes);
        demand(start == bytes, Column::AddressBytes, "is not as long as address_length says")?;
        self.ascends::<5>(Column::AddressFirstOutput, None, true)?;
        let of = columns.numbers::<4>(Column::OutputAddress);
        let mut listed = 0_u64;
        let mut pays = |address: u64, output: u64, column: Column| {
            listed += 1;
            let right = output < columns.layout().head.outputs && u64::from(of.get_u32(id::at(output))) == address;
            demand(right, column, "disagrees with output_address")
        };
        let first = columns.numbers::<5>(Column::AddressFirstOutput);
        for (address, output) in first.iter().enumerate() {
            pays(id::number(address), output, Column::AddressFirstOutput)?;
        }
        let mut last = None;
        let again =
            columns.numbers::<4>(Column::AgainAddress).iter().zip(columns.numbers::<5>(Column::AgainOutput).iter());
        for (address, output) in again {
            pays(address, output, Column::AgainOutput)?;
            demand(first.get(id::at(address)) < output, Column::AgainOutput, "lists an output before the first")?;
            demand(last < Some((address, output)), Column::AgainAddress, "does not ascend")?;
            last = Some((address, output));
        }
        let paid = of.bytes().iter().filter(|address| number(**address) != u64::from(NO_ADDRESS)).count();
        demand(id::number(paid) == listed, Column::OutputAddress, "has outputs that no address lists")?;
        self.meanings()
    }

    /// The sorted orders are permutations, sorted, with prefixes that lead into them.
    fn orders(&self) -> Result<(), StoreError> {
        let columns = self.columns;
        let order = columns.numbers::<4>(Column::TxidOrder);
        self.below::<4>(Column::TxidOrder, u64::from(columns.layout().head.txs))?;
        let key = |at: usize| {
            let tx = TxIndex::from_u32(order.get_u32(at));
            (columns.txid(tx), tx)
        };
        let sorted = (1..order.len()).all(|at| key(at - 1) < key(at));
        demand(sorted, Column::TxidOrder, "is not sorted")?;
        let order = columns.numbers::<4>(Column::AddressOrder);
        self.below::<4>(Column::AddressOrder, id::number(columns.addresses()))?;
        let script = |at: usize| columns.address_script(AddressIndex::from_u32(order.get_u32(at))).as_bytes();
        let sorted = (1..order.len()).all(|at| {
            let (a, b) = (script(at - 1), script(at));
            (payload(a), a) < (payload(b), b)
        });
        demand(sorted, Column::AddressOrder, "is not sorted")?;
        let txids = columns.numbers::<4>(Column::TxidOrder);
        self.prefixes(Column::TxidPrefix, txids.len(), |at, bits| {
            prefix_of(columns.txid(TxIndex::from_u32(txids.get_u32(at))).as_byte_array(), bits)
        })?;
        self.prefixes(Column::AddressPrefix, order.len(), |at, bits| prefix_of(payload(script(at)), bits))?;
        let keys = columns.numbers::<8>(Column::BareKey);
        let kept = columns.numbers::<5>(Column::BareByKey);
        let mut last = None;
        for at in 0..keys.len() {
            let entry = (keys.get(at), kept.get(at));
            demand(last < Some(entry), Column::BareByKey, "is not sorted")?;
            let key = script_key(columns.bare_script(id::at(entry.1)).as_bytes());
            demand(u64::from_be_bytes(key) == entry.0, Column::BareKey, "is not the scripts' hash")?;
            last = Some(entry);
        }
        Ok(())
    }

    /// Each entry of a sorted order stands where its prefix leads.
    fn prefixes(&self, column: Column, entries: usize, prefix: impl Fn(usize, u32) -> u64) -> Result<(), StoreError> {
        let first = self.columns.numbers::<4>(column);
        let bits = prefix_bits(id::number(entries));
        for at in 0..entries {
            let prefix = id::at(prefix(at, bits));
            let range = first.get(prefix)..first.get(prefix + 1);
            demand(range.contains(&id::number(at)), column, "leads past a name")?;
        }
        Ok(())
    }

    /// What was counted once is counted again.
    fn totals(&self) -> Result<(), StoreError> {
        let view = View::whole(self.columns);
        let totals = self.columns.totals();
        let counts = |at: usize, counted: u64| demand(totals.get(at) == counted, Column::Totals, "miscounts");
        let money = |tx: &Tx<'_>| tx.inputs().all(|input| input.prevout().is_none() || input.value().is_some());
        let mut fees = view.txs().filter(|tx| !tx.is_coinbase() && money(tx)).map(|tx| {
            let add = |sum: u64, value: Amount| sum.checked_add(value.to_sat());
            let paid = tx.inputs().filter_map(|input| input.value()).try_fold(0, add)?;
            let made = tx.outputs().filter_map(|output| output.value()).try_fold(0, add)?;
            paid.checked_sub(made)
        });
        let fees = fees.try_fold(0_u64, |sum, fee| sum.checked_add(fee?));
        demand(fees.is_some(), Column::OutputValue, "makes money")?;
        counts(FEES_SAT, fees.unwrap_or_default())?;
        let (mut unspent, mut unspent_sat) = (0, 0_u64);
        for output in view.txs().flat_map(|tx| tx.outputs()) {
            if self.columns.spender(output.index()) == NO_TX && !output.is_unspendable() {
                unspent += 1;
                unspent_sat = unspent_sat.saturating_add(output.value().map_or(0, Amount::to_sat));
            }
        }
        counts(UNSPENT, unspent)?;
        counts(UNSPENT_SAT, unspent_sat)?;
        let of_txs = |holds: fn(&Tx<'_>) -> bool| id::number(view.txs().filter(holds).count());
        counts(PROVEN, of_txs(|tx| tx.is_proven()))?;
        counts(HEIGHTS, of_txs(|tx| tx.height().is_some()))?;
        counts(POSITIONS, of_txs(|tx| tx.position().is_some()))?;
        counts(TIMES, of_txs(|tx| tx.time().is_some()))?;
        let of_prevouts = |known: bool, proven: bool| {
            let prevouts = view.txs().flat_map(|tx| tx.inputs()).filter_map(|input| input.prevout());
            let wanted = |output: &Output<'_>| {
                output.value().is_some() == known && (!known || output.tx().is_proven() == proven)
            };
            id::number(prevouts.filter(wanted).count())
        };
        counts(PREVOUTS_PROVEN, of_prevouts(true, true))?;
        counts(PREVOUTS_CLAIMED, of_prevouts(true, false))?;
        counts(PREVOUTS_UNKNOWN, of_prevouts(false, false))?;
        let types = self.columns.bytes_of(Column::OutputType);
        for code in 0..=ScriptType::ALL.len() {
            let of_code = types.iter().filter(|found| usize::from(**found).min(ScriptType::ALL.len()) == code);
            counts(BY_TYPE + code, id::number(of_code.count()))?;
        }
        Ok(())
    }

    fn said(&self) -> Result<(), StoreError> {
        let head = &self.columns.layout().head;
        for column in [Column::SaidUnspent, Column::SaidSpent] {
            self.ascends::<5>(column, None, true)?;
            self.below::<5>(column, head.outputs.min(NO_OUTPUT))?;
        }
        self.ascends::<4>(Column::OverwrittenTx, None, true)?;
        self.below::<4>(Column::OverwrittenTx, u64::from(head.txs))
    }
}

fn number<const N: usize>(bytes: [u8; N]) -> u64 {
    let mut whole = [0; 8];
    whole[..N].copy_from_slice(&bytes);
    u64::from_le_bytes(whole)
}
