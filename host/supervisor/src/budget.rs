//! What a run may use. A child's purse is a part of its parent's: what one spends all above it spend, so
//! that any number of forks together spends at most what the first was given.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the WIT record is closed")]
pub struct Budget {
    /// Time until it is cancelled, in milliseconds.
    pub wall_ms: u64,
    /// Calls to models.
    pub model_calls: u32,
    /// Calls to tools.
    pub tool_calls: u32,
    /// Tokens that models write.
    pub output_tokens: u64,
    /// Agents that may be started below it, at any depth.
    pub children: u32,
    /// Levels of agents below it.
    pub depth: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            wall_ms: 5 * 60 * 1000,
            model_calls: 50,
            tool_calls: 200,
            output_tokens: 100_000,
            children: 32,
            depth: 3,
        }
    }
}

impl Budget {
    /// Returns the smaller of both, part by part.
    #[must_use]
    pub fn least(&self, other: &Self) -> Self {
        Self {
            wall_ms: self.wall_ms.min(other.wall_ms),
            model_calls: self.model_calls.min(other.model_calls),
            tool_calls: self.tool_calls.min(other.tool_calls),
            output_tokens: self.output_tokens.min(other.output_tokens),
            children: self.children.min(other.children),
            depth: self.depth.min(other.depth),
        }
    }

    /// Returns the time it gives.
    pub fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "every part of a budget is counted")]
pub enum Item {
    /// Calls to models.
    ModelCalls,
    /// Calls to tools.
    ToolCalls,
    /// Tokens that models write.
    OutputTokens,
    /// Agents started.
    Children,
    /// Levels of agents.
    Depth,
}

impl Item {
    /// Returns how messages name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ModelCalls => "model-calls",
            Self::ToolCalls => "tool-calls",
            Self::OutputTokens => "output-tokens",
            Self::Children => "children",
            Self::Depth => "depth",
        }
    }
}

/// Something was not to be had any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no more `{}` are left", item.name())]
#[non_exhaustive]
pub struct Spent {
    /// What.
    pub item: Item,
}

/// What one run has left.
#[derive(Debug)]
pub struct Purse {
    given: Budget,
    used: [AtomicU64; 5],
    above: Option<Arc<Purse>>,
}

impl Purse {
    /// Returns a purse with this in it, and nothing above it.
    pub fn new(budget: Budget) -> Arc<Self> {
        Arc::new(Self { given: budget, used: Default::default(), above: None })
    }

    /// Returns the purse of a child that asks for `wanted`: at most what is left here. It counts as one
    /// of the children.
    ///
    /// # Errors
    /// [`Spent`], when no more children, or no deeper ones, are allowed.
    pub fn child(self: &Arc<Self>, wanted: &Budget) -> Result<Arc<Self>, Spent> {
        if self.given.depth == 0 {
            return Err(Spent { item: Item::Depth });
        }
        self.charge(Item::Children, 1)?;
        let left = self.left();
        let left = Budget { depth: left.depth - 1, ..left };
        let given = wanted.least(&left);
        Ok(Arc::new(Self { given, used: Default::default(), above: Some(Arc::clone(self)) }))
    }

    /// Takes `amount` out of this purse and all above it: out of all or out of none.
    ///
    /// # Errors
    /// [`Spent`], when one of them has not so much left.
    pub fn charge(&self, item: Item, amount: u64) -> Result<(), Spent> {
        let most = self.given_of(item);
        let cell = &self.used[place(item)];
        let add = |used: u64| used.checked_add(amount).filter(|sum| *sum <= most);
        let added = cell.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
        added.map_err(|_| Spent { item })?;
        if let Some(above) = &self.above
            && let Err(spent) = above.charge(item, amount)
        {
            cell.fetch_sub(amount, Ordering::SeqCst);
            return Err(spent);
        }
        Ok(())
    }

    /// Counts `amount` that was used already, such as tokens a provider wrote, as far as there is room.
    ///
    /// # Errors
    /// [`Spent`], when it was more than was left: the purse is then empty.
    pub fn settle(&self, item: Item, amount: u64) -> Result<(), Spent> {
        let most = self.given_of(item);
        let cell = &self.used[place(item)];
        let add = |used: u64| Some(used.saturating_add(amount).min(most));
        let before = cell.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
        let before = before.unwrap_or(most);
        let above = self.above.as_ref().map_or(Ok(()), |above| above.settle(item, amount));
        if before.saturating_add(amount) > most { Err(Spent { item }) } else { above }
    }

    /// Gives `amount` back that was charged and not used, here and above.
    pub fn give_back(&self, item: Item, amount: u64) {
        let less = |used: u64| Some(used.saturating_sub(amount));
        let cell = &self.used[place(item)];
        let _ = cell.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if let Some(above) = &self.above {
            above.give_back(item, amount);
        }
    }

    /// Returns what is left: the least of what this purse and those above it have.
    pub fn left(&self) -> Budget {
        let left = |item| self.given_of(item) - self.used[place(item)].load(Ordering::SeqCst);
        let count = |item| u32::try_from(left(item)).unwrap_or(u32::MAX);
        let own = Budget {
            wall_ms: self.given.wall_ms,
            model_calls: count(Item::ModelCalls),
            tool_calls: count(Item::ToolCalls),
            output_tokens: left(Item::OutputTokens),
            children: count(Item::Children),
            depth: self.given.depth,
        };
        match &self.above {
            // Depth is counted from here, not from above.
            Some(above) => own.least(&Budget { depth: own.depth, ..above.left() }),
            None => own,
        }
    }

    /// Returns what it was given.
    pub fn given(&self) -> &Budget {
        &self.given
    }

    /// Returns how much of `item` was used here and below.
    pub fn used(&self, item: Item) -> u64 {
        self.used[place(item)].load(Ordering::SeqCst)
    }

    fn given_of(&self, item: Item) -> u64 {
        match item {
            Item::ModelCalls => u64::from(self.given.model_calls),
            Item::ToolCalls => u64::from(self.given.tool_calls),
            Item::OutputTokens => self.given.output_tokens,
            Item::Children => u64::from(self.given.children),
            Item::Depth => u64::from(self.given.depth),
        }
    }
}

const fn place(item: Item) -> usize {
    match item {
        Item::ModelCalls => 0,
        Item::ToolCalls => 1,
        Item::OutputTokens => 2,
        Item::Children => 3,
        Item::Depth => 4,
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
