//! Binary decision diagrams (BDDs). They combine the conditions of many policies over single bits,
//! and test each bit at most once.
//!
//! Diagrams are reduced and ordered (Bryant 1986). So equal conditions have the same number, and a
//! test that several policies share is made once. The recursion depth is bounded by the number of
//! variables, which is capped.

use hashbrown::HashMap;

/// A condition, identified by the number of its root node.
pub(crate) type BddRef = u32;

pub(crate) const FALSE: BddRef = 0;
pub(crate) const TRUE: BddRef = 1;

/// The diagrams are too large, or have too many variables. The conditions are then evaluated one by
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

type BddResult = Result<BddRef, TooLarge>;

/// Maximum number of variables of a set of conditions.
pub(crate) const VARIABLES: u16 = 576;
/// Maximum number of nodes of a set of conditions.
const NODES: usize = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct BddNode {
    variable: u16,
    no: BddRef,
    yes: BddRef,
}

/// A table of nodes. Variables are tested in ascending order of their numbers.
#[derive(Debug)]
pub(crate) struct BddManager {
    nodes: Vec<BddNode>,
    known: HashMap<BddNode, BddRef>,
    choices: HashMap<(BddRef, BddRef, BddRef), BddRef>,
}

impl BddNode {
    /// Returns the terminal node with this number.
    fn terminal(at: BddRef) -> Self {
        Self {
            variable: u16::MAX,
            no: at,
            yes: at,
        }
    }
}

impl Default for BddManager {
    fn default() -> Self {
        Self {
            nodes: vec![BddNode::terminal(FALSE), BddNode::terminal(TRUE)],
            known: HashMap::new(),
            choices: HashMap::new(),
        }
    }
}

impl BddManager {
    fn node(&self, at: BddRef) -> BddNode {
        let node = self.nodes.get(at as usize);
        node.copied().unwrap_or(BddNode::terminal(at))
    }

    fn mk(&mut self, variable: u16, no: BddRef, yes: BddRef) -> BddResult {
        if no == yes {
            return Ok(no);
        }
        let node = BddNode { variable, no, yes };
        if let Some(known) = self.known.get(&node) {
            return Ok(*known);
        }
        if self.nodes.len() >= NODES {
            return Err(TooLarge);
        }
        let at = u32::try_from(self.nodes.len()).map_err(|_| TooLarge)?;
        self.nodes.push(node);
        self.known.insert(node, at);
        Ok(at)
    }

    /// Returns the condition that this variable is set.
    pub(crate) fn variable(&mut self, variable: u16) -> BddResult {
        if variable >= VARIABLES {
            return Err(TooLarge);
        }
        self.mk(variable, FALSE, TRUE)
    }

    /// Returns the condition that equals `yes` where `cond` holds, and `no` elsewhere.
    pub(crate) fn ite(&mut self, cond: BddRef, yes: BddRef, no: BddRef) -> BddResult {
        match (cond, yes, no) {
            (TRUE, ..) => return Ok(yes),
            (FALSE, ..) => return Ok(no),
            (_, TRUE, FALSE) => return Ok(cond),
            _ if yes == no => return Ok(yes),
            _ => {}
        }
        if let Some(known) = self.choices.get(&(cond, yes, no)) {
            return Ok(*known);
        }
        let parts = [cond, yes, no].map(|at| (at, self.node(at)));
        let variables = parts.iter().map(|(_, node)| node.variable);
        let variable = variables.min().unwrap_or(u16::MAX);
        let mut side = |set: bool| {
            let [cond, yes, no] = parts.map(|(at, node)| match (node.variable == variable, set) {
                (false, _) => at,
                (true, true) => node.yes,
                (true, false) => node.no,
            });
            self.ite(cond, yes, no)
        };
        let (no_side, yes_side) = (side(false)?, side(true)?);
        let made = self.mk(variable, no_side, yes_side)?;
        self.choices.insert((cond, yes, no), made);
        Ok(made)
    }

    pub(crate) fn and(&mut self, left: BddRef, right: BddRef) -> BddResult {
        self.ite(left, right, FALSE)
    }

    pub(crate) fn or(&mut self, left: BddRef, right: BddRef) -> BddResult {
        self.ite(left, TRUE, right)
    }

    pub(crate) fn not(&mut self, diagram: BddRef) -> BddResult {
        self.ite(diagram, FALSE, TRUE)
    }

    /// Returns the variables that the condition depends on, in ascending order.
    pub(crate) fn support(&self, diagram: BddRef) -> Vec<u16> {
        let (mut todo, mut seen) = (vec![diagram], hashbrown::HashSet::new());
        let mut found = std::collections::BTreeSet::new();
        while let Some(at) = todo.pop() {
            if at > TRUE && seen.insert(at) {
                let node = self.node(at);
                found.insert(node.variable);
                todo.extend([node.no, node.yes]);
            }
        }
        found.into_iter().collect()
    }

    /// Returns the condition with the variable fixed to `set`.
    fn restrict(
        &mut self,
        diagram: BddRef,
        variable: u16,
        set: bool,
        known: &mut HashMap<BddRef, BddRef>,
    ) -> BddResult {
        let node = self.node(diagram);
        if diagram <= TRUE || node.variable > variable {
            return Ok(diagram);
        }
        if node.variable == variable {
            return Ok(if set { node.yes } else { node.no });
        }
        if let Some(done) = known.get(&diagram) {
            return Ok(*done);
        }
        let no = self.restrict(node.no, variable, set, known)?;
        let yes = self.restrict(node.yes, variable, set, known)?;
        let made = self.mk(node.variable, no, yes)?;
        known.insert(diagram, made);
        Ok(made)
    }

    /// Compiles the condition: first one comparison of all bits that the condition requires, then
    /// the remaining tests.
    pub(crate) fn plan(&mut self, diagram: BddRef) -> Result<CompiledBdd, TooLarge> {
        let (mut rest, mut plan) = (diagram, CompiledBdd::default());
        for variable in self.support(diagram) {
            // The caller evaluates the variables from 64 on.
            let Some(bit) = 1_u64.checked_shl(u32::from(variable)) else {
                break;
            };
            for needed in [true, false] {
                let mut fix = |set| self.restrict(rest, variable, set, &mut HashMap::new());
                if rest <= TRUE || fix(!needed)? != FALSE {
                    continue;
                }
                let left = fix(needed)?;
                // A variable on which the rest no longer depends is not compared.
                if left != rest {
                    plan.mask |= bit;
                    plan.want |= if needed { bit } else { 0 };
                    rest = left;
                }
            }
        }
        self.flatten(rest, &mut plan)?;
        Ok(plan)
    }

    fn flatten(&self, diagram: BddRef, plan: &mut CompiledBdd) -> Result<(), TooLarge> {
        // Positions 0 and 1 are the terminal nodes.
        let mut places: HashMap<BddRef, u16> = HashMap::from_iter([(FALSE, 0), (TRUE, 1)]);
        let (mut order, mut todo) = (Vec::new(), vec![diagram]);
        while let Some(at) = todo.pop() {
            if !places.contains_key(&at) {
                let place = u16::try_from(places.len()).map_err(|_| TooLarge)?;
                places.insert(at, place);
                order.push(at);
                let node = self.node(at);
                todo.extend([node.no, node.yes]);
            }
        }
        let place = |at: BddRef| places.get(&at).copied().ok_or(TooLarge);
        plan.start = place(diagram)?;
        for at in order {
            let BddNode { variable, no, yes } = self.node(at);
            let (no, yes) = (place(no)?, place(yes)?);
            plan.steps.push(BddStep { variable, no, yes });
        }
        Ok(())
    }
}

/// One test of a variable.
#[derive(Debug, Clone, Copy)]
struct BddStep {
    variable: u16,
    no: u16,
    yes: u16,
}

/// The result of a condition, as far as it could be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BddOutcome {
    Known(bool),
    /// The step at this place needs a variable that is not known.
    Asks(u16),
}

impl BddOutcome {
    /// Returns the result, if it is known.
    pub(crate) fn known(self) -> Option<bool> {
        match self {
            Self::Known(known) => Some(known),
            Self::Asks(_) => None,
        }
    }
}

/// A compiled condition over 64 bits, and over variables that the caller evaluates on demand.
#[derive(Debug, Clone, Default)]
pub(crate) struct CompiledBdd {
    mask: u64,
    want: u64,
    start: u16,
    steps: Vec<BddStep>,
}

impl CompiledBdd {
    /// A condition that is not known, because its diagram would be too large.
    pub(crate) const UNKNOWN: Self = Self {
        mask: 0,
        want: 0,
        start: u16::MAX,
        steps: Vec::new(),
    };

    pub(crate) fn is_unknown(&self) -> bool {
        self.start == u16::MAX
    }

    /// Evaluates the condition as far as the bits lead.
    #[inline]
    pub(crate) fn eval_bits(&self, bits: u64) -> BddOutcome {
        if bits & self.mask != self.want {
            return BddOutcome::Known(false);
        }
        self.eval_from(self.start, bits, |_| None)
    }

    /// Goes on from the step at which an evaluation asked for a variable. `ask` evaluates a variable
    /// from 64 on, numbered from 0. The evaluation ends where it returns `None`.
    #[inline]
    pub(crate) fn eval_from(
        &self,
        step: u16,
        bits: u64,
        mut ask: impl FnMut(u16) -> Option<bool>,
    ) -> BddOutcome {
        let mut at = step;
        while at > 1 {
            #[cfg(test)]
            super::count_steps(1);
            let Some(step) = self.steps.get(usize::from(at).wrapping_sub(2)) else {
                return BddOutcome::Asks(at);
            };
            let set = match step.variable.checked_sub(64) {
                None => Some(bits >> step.variable & 1 == 1),
                Some(asked) => ask(asked),
            };
            at = match set {
                Some(true) => step.yes,
                Some(false) => step.no,
                None => return BddOutcome::Asks(at),
            };
        }
        BddOutcome::Known(at == 1)
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "small numbers of a test"
)]
mod tests {
    use super::*;

    /// Returns a random condition over six variables, and its truth table.
    fn random(diagrams: &mut BddManager, seed: &mut u64, depth: u32) -> (BddRef, u64) {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pick = *seed >> 33;
        if depth == 0 {
            let variable = (pick % 6) as u16;
            let table = (0..64_u64)
                .filter(|row| row >> variable & 1 == 1)
                .fold(0, |all, row| all | 1 << row);
            // The last two variables are evaluated by `ask`.
            let number = if variable < 4 {
                variable * 9
            } else {
                60 + variable
            };
            return (diagrams.variable(number).expect("small"), table);
        }
        let (left, one) = random(diagrams, seed, depth - 1);
        let (right, two) = random(diagrams, seed, depth - 1);
        match pick % 3 {
            0 => (diagrams.and(left, right).expect("small"), one & two),
            1 => (diagrams.or(left, right).expect("small"), one | two),
            _ => {
                let not = diagrams.not(left).expect("small");
                (
                    diagrams.ite(right, not, left).expect("small"),
                    (two & !one) | (!two & one),
                )
            }
        }
    }

    #[test]
    fn plan_agrees_with_its_condition() {
        let seed = &mut 3_u64;
        for round in 0..400 {
            let mut diagrams = BddManager::default();
            let (condition, table) = random(&mut diagrams, seed, 1 + round % 5);
            let plan = diagrams.plan(condition).expect("small");
            for row in 0..64_u64 {
                let bits = (0..4).fold(0, |all, variable| {
                    all | (row >> variable & 1) << (variable * 9)
                });
                let ask = |asked: u16| Some(row >> (asked + 4) & 1 == 1);
                let found = match plan.eval_bits(bits) {
                    BddOutcome::Asks(step) => plan.eval_from(step, bits, ask).known(),
                    known @ BddOutcome::Known(_) => known.known(),
                };
                assert_eq!(found, Some(table >> row & 1 == 1), "row {row}");
            }
        }
    }

    /// Bits that every path requires are compared with one mask.
    #[test]
    fn required_bits_are_compared_at_once() {
        let mut diagrams = BddManager::default();
        let mut all = TRUE;
        for variable in 0..40 {
            let mut part = diagrams.variable(variable).expect("small");
            if variable % 3 == 0 {
                part = diagrams.not(part).expect("small");
            }
            all = diagrams.and(all, part).expect("small");
        }
        let plan = diagrams.plan(all).expect("small");
        assert!(plan.steps.is_empty() && plan.start == 1 && plan.mask == (1 << 40) - 1);
    }

    #[test]
    fn conditions_that_grow_too_far_are_refused() {
        let mut diagrams = BddManager::default();
        // A multiplexer in its worst variable order.
        let grown = (0..128_u16).try_fold(FALSE, |all, at| {
            let (low, high) = (diagrams.variable(at)?, diagrams.variable(at + 128)?);
            let both = diagrams.and(low, high)?;
            diagrams.or(all, both)
        });
        assert_eq!(grown, Err(TooLarge));
        assert_eq!(diagrams.variable(VARIABLES), Err(TooLarge));
    }
}
