//! Which inputs of a mix may have paid which outputs: counting the ways.
//!
//! 1. A way (a *mapping*) cuts the inputs into blocks and gives every output to one of the blocks, so that each block pays for its outputs:
//!    with F the fee of the transaction, `-maker <= inputs - outputs <= F + taker`. A block without outputs is allowed. Outputs and inputs
//!    of nothing are left out; with one input, or one output, there is one way.
//! 2. N is the number of ways, log2 N the entropy, and the cell (o, i) of the matrix the number of ways in which output o and input i are in
//!    one block. A link is *deterministic* when it holds in all N. This is so only if no participant pays another inside the mix: who does
//!    belongs to two blocks.
//! 3. Intra-fees: what a taker pays makers. For an output value that occurs n > 1 times, p = min(n, inputs); it qualifies if there are at
//!    most 2 p outputs and at least p inputs. The largest p counts, then the largest value; maker = value * ratio, rounded half up, taker =
//!    maker * (p - 1).
//! 4. Exact while each side has at most [`Limits::txos_max`] coins and [`Limits::subsets_max`] sub-multisets. Beyond, the smallest coins are
//!    taken together until they fit: every mapping of the coarser transaction is one of the finer, so its count is a lower bound, and what
//!    it separates is no deterministic link. When [`Limits::steps_max`] is reached, nothing is said.
//!
//! References: LaurentMT, Boltzmann (the definition and the intra-fees; vectors in the tests); K. Atlas, CoinJoin Sudoku (2014).

mod count;
mod packed;

use bitcoin::Amount;

use crate::chain::Tx;
use crate::id;
use count::Counted;

/// How far counting goes.
///
/// # Examples
///
/// See [`Links`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Coins on either side that are counted exactly, at most. No more than 32 are looked at.
    pub txos_max: usize,
    /// Sub-multisets of either side, at most: 2^n of n different values, n + 1 of n equal ones.
    pub subsets_max: usize,
    /// Pairs of a sub-multiset of inputs and one of outputs that are tried, at most.
    pub steps_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { txos_max: 32, subsets_max: 1 << 16, steps_max: 20_000_000 }
    }
}

/// What a participant may pay another for taking part.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::links::IntraFees;
/// // Half a per cent of the common amount.
/// let fees = IntraFees::of(&[1, 2, 3, 4, 5], &[84_077_613, 84_077_613, 84_077_613, 84_077_613, 9, 8, 7], 5_000);
/// assert_eq!((fees.maker_sat, fees.taker_sat), (420_388, 1_261_164));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct IntraFees {
    /// A block may get so much more than it put in.
    pub maker_sat: u64,
    /// A block may get so much less than it put in, beyond the transaction's fee.
    pub taker_sat: u64,
}

impl IntraFees {
    /// Finds the common amount among the outputs and takes a ratio of it, in parts of a million; nothing where none qualifies.
    pub fn of(inputs: &[u64], outputs: &[u64], ratio_ppm: u32) -> Self {
        let mut sorted = outputs.to_vec();
        sorted.sort_unstable();
        let qualifies = |run: &[u64]| {
            let p = run.len().min(inputs.len());
            (run.len() > 1 && outputs.len() <= 2 * p && inputs.len() >= p).then(|| (p, run[0]))
        };
        let Some((p, sat)) = sorted.chunk_by(|a, b| a == b).filter_map(qualifies).max() else { return Self::default() };
        let maker = (u128::from(sat) * u128::from(ratio_ppm) + 500_000) / 1_000_000;
        let maker_sat = u64::try_from(maker).unwrap_or(u64::MAX);
        Self { maker_sat, taker_sat: maker_sat.saturating_mul(id::number(p - 1)) }
    }
}

/// How many ways there are, as far as it is known.
///
/// # Examples
///
/// See [`Links`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ways {
    /// So many.
    Exact(u128),
    /// At least so many: the transaction was too large, and a coarser one was counted. A lower bound of the ways is a lower bound of
    /// what a follower of coins does not know.
    AtLeast(u128),
    /// The budget ended, or the count outgrew 128 bits.
    Undecided,
}

/// In how many ways a mix's inputs can pay its outputs, and which pairs of them belong together.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::links::{self, IntraFees, Limits, Ways};
/// // Two owners, two equal outputs and change: each change belongs to one input, whoever has which equal output.
/// let found = links::count(&[10, 13], &[8, 2, 8, 5], IntraFees::default(), Limits::default());
/// assert_eq!(found.ways, Ways::Exact(3));
/// assert_eq!(found.matrix.as_ref().unwrap().cell(1, 0), 3);
/// assert_eq!(found.deterministic().collect::<Vec<_>>(), [(1, 0), (3, 1)]);
/// assert_eq!(found.entropy_millibits(), Some(1_584));
/// // Eight by eight equal coins.
/// let eight = links::count(&[5; 8], &[5; 8], IntraFees::default(), Limits::default());
/// assert_eq!(eight.ways, Ways::Exact(9_934_563));
/// assert_eq!(eight.deterministic().count(), 0);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Links {
    /// The number of ways.
    pub ways: Ways,
    /// The matrix, where the number is exact.
    pub matrix: Option<Matrix>,
    /// Pairs of an output and an input that some way separates, where the number is a lower bound: no deterministic links. The rest
    /// may be or may not.
    pub separated: Vec<(usize, usize)>,
    /// The fee of the transaction.
    pub fee_sat: u64,
    /// What was allowed between participants.
    pub intra_fees: IntraFees,
}

impl Links {
    /// Iterates the pairs of an output and an input that belong together in every way, by output. None where the number is not exact.
    ///
    /// They hold provided that no participant pays another inside the transaction.
    pub fn deterministic(&self) -> impl Iterator<Item = (usize, usize)> {
        let matrix = self.matrix.as_ref();
        let ways = if let Ways::Exact(ways) = self.ways { ways } else { 0 };
        matrix
            .into_iter()
            .flat_map(move |matrix| matrix.cells().filter(move |(_, cell)| *cell == ways))
            .map(|(at, _)| at)
    }

    /// Returns the entropy, log2 of the number of ways, in thousandths of a bit and rounded down; of a lower bound, a lower bound.
    pub fn entropy_millibits(&self) -> Option<u64> {
        match self.ways {
            Ways::Exact(ways) | Ways::AtLeast(ways) => Some(millibits(ways)),
            Ways::Undecided => None,
        }
    }
}

/// The number of ways in which an output and an input are in one block.
///
/// Outputs and inputs are numbered as they were given. What is worth nothing belongs to nobody: its cells are zero.
///
/// # Examples
///
/// See [`Links`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matrix {
    inputs: usize,
    cells: Vec<u128>,
}

impl Matrix {
    /// Returns the number of ways for an output and an input.
    ///
    /// # Panics
    ///
    /// When there is no such output or input.
    pub fn cell(&self, output: usize, input: usize) -> u128 {
        assert!(input < self.inputs, "the transaction has no input {input}");
        self.cells[output * self.inputs + input]
    }

    /// Iterates all cells with the output and the input, by output.
    pub fn cells(&self) -> impl Iterator<Item = ((usize, usize), u128)> {
        let inputs = self.inputs;
        self.cells.iter().enumerate().map(move |(at, cell)| ((at / inputs, at % inputs), *cell))
    }
}

/// Counts the ways in which these inputs can pay these outputs, in satoshis.
///
/// # Complexity
///
/// With s and t sub-multisets of inputs and outputs, at most s^1.6 t^1.6 steps, and fewer the less is fee: a block's outputs are looked
/// up by their sum. Two tables of the states that can be reached.
///
/// # Panics
///
/// When the outputs are worth more than the inputs.
///
/// # Examples
///
/// See [`Links`].
pub fn count(inputs: &[u64], outputs: &[u64], intra_fees: IntraFees, limits: Limits) -> Links {
    let (paid, got) = (sum(inputs), sum(outputs));
    let fee = paid.checked_sub(got).expect("inputs cover outputs");
    let fee_sat = u64::try_from(fee).unwrap_or(u64::MAX);
    let slack = count::Slack {
        more: i128::from(intra_fees.maker_sat),
        less: i128::from(fee_sat) + i128::from(intra_fees.taker_sat),
    };
    let mut links = Links { ways: Ways::Undecided, matrix: None, separated: Vec::new(), fee_sat, intra_fees };
    let (ins, outs) = (Side::of(inputs), Side::of(outputs));
    if ins.kept.len() <= 1 || outs.kept.len() <= 1 {
        links.ways = Ways::Exact(1);
        links.matrix = Some(expand(&ins, &outs, &vec![1; ins.values.len() * outs.values.len()]));
        return links;
    }
    let (merged_ins, merged_outs) = (ins.merged(limits), outs.merged(limits));
    let is_coarser = merged_ins.is_some() || merged_outs.is_some();
    let (ins, outs) = (merged_ins.unwrap_or(ins), merged_outs.unwrap_or(outs));
    let Some(Counted { ways, cells }) = count::count(&ins.values, &outs.values, slack, limits.steps_max) else {
        return links;
    };
    let matrix = expand(&ins, &outs, &cells);
    if is_coarser {
        links.ways = Ways::AtLeast(ways);
        links.separated = matrix
            .cells()
            .filter(|((o, i), cell)| outputs[*o] > 0 && inputs[*i] > 0 && *cell < ways)
            .map(|(at, _)| at)
            .collect();
    } else {
        links.ways = Ways::Exact(ways);
        links.matrix = Some(matrix);
    }
    links
}

/// Counts for a transaction, with intra-fees of a ratio in parts of a million; `None` where an input's value is unknown, and for a coinbase.
///
/// # Examples
///
/// ```
/// use fundtrace::detect::{self, links::{self, Limits, Ways}};
/// let chain = detect::sketch(&[10, 10], &[5, 5, 5, 5])?;
/// let found = links::of(chain.view().txs().next().unwrap(), 0, Limits::default()).unwrap();
/// assert_eq!(found.ways, Ways::Exact(7));
/// # Ok::<(), fundtrace::Error>(())
/// ```
///
/// # Fooled by
///
/// A participant who pays another inside the mix. Here the first gives 3 of its 10 to the second: the change of 5 is the first's alone
/// and the 13 are the second's, and no block adds up but the whole.
///
/// ```
/// use fundtrace::detect::links::{self, IntraFees, Limits, Ways};
/// let found = links::count(&[10, 10], &[7, 13], IntraFees::default(), Limits::default());
/// // Both outputs are linked to both inputs, though the second input has nothing to do with the 7.
/// assert_eq!(found.ways, Ways::Exact(1));
/// assert_eq!(found.deterministic().count(), 4);
/// ```
pub fn of(tx: Tx<'_>, intra_fee_ppm: u32, limits: Limits) -> Option<Links> {
    tx.fee()?;
    let sat = |value: Option<Amount>| value.map(Amount::to_sat);
    let inputs: Vec<u64> = tx.inputs().map(|input| sat(input.value())).collect::<Option<_>>()?;
    let outputs: Vec<u64> = tx.outputs().map(|output| sat(output.value())).collect::<Option<_>>()?;
    let intra_fees = IntraFees::of(&inputs, &outputs, intra_fee_ppm);
    Some(count(&inputs, &outputs, intra_fees, limits))
}

fn sum(values: &[u64]) -> u128 {
    values.iter().map(|value| u128::from(*value)).sum()
}

/// The coins of one side by value.
struct Side {
    /// How many coins were given, those of nothing among them.
    len: usize,
    /// The coins that are worth something: where they were given, and their group.
    kept: Vec<(usize, usize)>,
    /// The groups' values and how many groups of this value there are, by value. A coin's group is its position here.
    values: Vec<packed::Class>,
}

impl Side {
    fn of(values: &[u64]) -> Self {
        let mut kept: Vec<usize> = (0..values.len()).filter(|at| values[*at] > 0).collect();
        kept.sort_by_key(|at| values[*at]);
        let groups = kept.into_iter().map(|at| (u128::from(values[at]), vec![at])).collect();
        Self::grouped(values.len(), groups)
    }

    /// Groups of coins by their sums; groups of one sum are alike.
    fn grouped(len: usize, mut groups: Vec<(u128, Vec<usize>)>) -> Self {
        groups.sort();
        let mut side = Self { len, kept: Vec::new(), values: Vec::new() };
        for (value, coins) in groups {
            match side.values.last_mut() {
                Some(last) if last.value == value => last.count += 1,
                _ => side.values.push(packed::Class { value, count: 1 }),
            }
            let class = side.values.len() - 1;
            side.kept.extend(coins.into_iter().map(|coin| (coin, class)));
        }
        side.kept.sort_unstable();
        side
    }

    /// The side with its smallest coins taken together until it fits the limits; `None` where it does as it is.
    fn merged(&self, limits: Limits) -> Option<Self> {
        let fits = |side: &Self| {
            let coins: u32 = side.values.iter().map(|class| class.count).sum();
            let subsets = side.values.iter().try_fold(1_usize, |all, class| all.checked_mul(id::at(class.count) + 1));
            id::at(coins) <= limits.txos_max.min(packed::COINS_MAX)
                && subsets.is_some_and(|all| all <= limits.subsets_max)
        };
        if fits(self) {
            return None;
        }
        let mut groups: Vec<(u128, Vec<usize>)> =
            self.kept.iter().map(|(coin, class)| (self.values[*class].value, vec![*coin])).collect();
        groups.sort();
        while groups.len() > 1 {
            let (value, coins) = groups.remove(0);
            groups[0].0 += value;
            groups[0].1.extend(coins);
            groups.sort();
            let side = Self::grouped(self.len, groups.clone());
            if fits(&side) {
                return Some(side);
            }
        }
        Some(Self::grouped(self.len, groups))
    }
}

/// The matrix of coins from that of classes.
fn expand(ins: &Side, outs: &Side, cells: &[u128]) -> Matrix {
    let mut matrix = Matrix { inputs: ins.len, cells: vec![0; ins.len * outs.len] };
    for (output, y) in &outs.kept {
        for (input, x) in &ins.kept {
            matrix.cells[output * ins.len + input] = cells[y * ins.values.len() + x];
        }
    }
    matrix
}

/// 1000 log2 n, rounded down: the integer part is the position of the highest bit, each further bit comes from squaring what is left.
fn millibits(n: u128) -> u64 {
    const BITS: u32 = 32;
    if n <= 1 {
        return 0;
    }
    let whole = n.ilog2();
    // The mantissa, 1 <= m < 2, with 63 bits after the point.
    let mut mantissa = if whole >= 63 { n >> (whole - 63) } else { n << (63 - whole) };
    let mut log = u64::from(whole);
    for _ in 0..BITS {
        mantissa = (mantissa * mantissa) >> 63;
        log <<= 1;
        if mantissa >> 64 > 0 {
            mantissa >>= 1;
            log |= 1;
        }
    }
    u64::try_from((u128::from(log) * 1000) >> BITS).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn entropy_in_thousandths_of_a_bit() {
        for (ways, millibits) in [(0, 0), (1, 0), (2, 1000), (3, 1584), (438, 8774), (1496, 10546), (9_934_563, 23_244)]
        {
            assert_eq!(super::millibits(ways), millibits, "{ways}");
        }
        assert_eq!(super::millibits(u128::MAX), 127_999);
    }
}
