//! How good reports and clusters are, measured against what somebody labelled.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::ResearchError;
use crate::gather::key;
use crate::judge::grouped;
use crate::report::{Report, Source};
use crate::steps::Steps;

/// A question with the sources that a good answer cites.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "it is read from files")]
pub struct Question {
    /// The question.
    pub question: String,
    /// Addresses an answer may cite; one of a cluster stands for all of it.
    pub expected: Vec<String>,
}

/// A text with the group it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_structs, reason = "it is read from files")]
pub struct Labelled {
    /// Its name.
    pub id: String,
    /// Texts of one group are copies of each other; a text without one is a copy of none.
    #[serde(default)]
    pub group: String,
    /// The text.
    pub text: String,
}

/// What a report is worth against what was expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Answered {
    /// The sentences of the report.
    pub sentences: usize,
    /// Sources that were read.
    pub sources: usize,
    /// Independent sources that are cited.
    pub cited: usize,
    /// Expected ones among the cited; 1 when nothing is cited.
    pub precision: f64,
    /// Cited ones among the expected; 1 when nothing was expected.
    pub recall: f64,
    /// Sources that copy another, among all that were read.
    pub duplicate_rate: f64,
    /// How many domains of equal shares would be as concentrated.
    pub effective_domains: f64,
    /// Expected addresses that are not cited.
    pub missing: Vec<String>,
}

/// Returns what a report is worth. A source counts as its cluster: whoever cites the reprint cites the
/// original.
pub fn answered(report: &Report, expected: &[String]) -> Answered {
    let cluster_of: BTreeMap<String, u32> =
        report.sources.iter().map(|source| (key(&source.url), source.cluster)).collect();
    let by_id: BTreeMap<&str, &Source> =
        report.sources.iter().map(|source| (source.id.as_str(), source)).collect();
    let citations = report.statements.iter().flat_map(|statement| &statement.citations);
    let cited: BTreeSet<u32> =
        citations.filter_map(|c| by_id.get(c.source.as_str())).map(|s| s.cluster).collect();
    let place = |url: &String| cluster_of.get(&key(url)).copied();
    let wanted: BTreeSet<u32> = expected.iter().filter_map(place).collect();
    let is_missing = |url: &&String| place(url).is_none_or(|cluster| !cited.contains(&cluster));
    let missing: Vec<String> = expected.iter().filter(is_missing).cloned().collect();
    let copies = report.sources.iter().filter(|source| source.same_as.is_some()).count();
    Answered {
        sentences: report.statements.len(),
        sources: report.sources.len(),
        cited: cited.len(),
        precision: share(cited.intersection(&wanted).count(), cited.len(), 1.0),
        recall: share(expected.len() - missing.len(), expected.len(), 1.0),
        duplicate_rate: share(copies, report.sources.len(), 0.0),
        effective_domains: report.bias.effective_domains,
        missing,
    }
}

/// Precision, recall and their harmonic mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Score {
    /// Right among found.
    pub precision: f64,
    /// Found among right.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

impl Score {
    fn of(precision: f64, recall: f64) -> Self {
        let sum = precision + recall;
        let f1 = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
        Self { precision, recall, f1 }
    }
}

/// What clusters are worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Clustered {
    /// Texts.
    pub texts: usize,
    /// Clusters that were found.
    pub clusters: usize,
    /// Pairs of texts in one cluster.
    pub pairs: Score,
    /// The same for each text: how much of its cluster belongs there (Bagga and Baldwin 1998).
    pub b_cubed: Score,
    /// Pairs of different groups that are in one cluster, among all such pairs.
    pub false_merges: f64,
}

/// Has the deduplicate step group texts, and returns the number of the cluster of each.
///
/// # Errors
/// When the step fails, or a text is in no cluster or in several.
pub async fn clusters(steps: &dyn Steps, texts: &[Labelled]) -> Result<Vec<usize>, ResearchError> {
    let ids: Vec<_> = texts.iter().map(|text| text.id.clone()).collect();
    let document = |text: &Labelled| json!({ "id": text.id, "text": text.text });
    let (places, _) = grouped(steps, &ids, texts.iter().map(document).collect()).await?;
    Ok(places.into_iter().map(|(number, _)| usize::try_from(number).unwrap_or_default()).collect())
}

/// Returns what clusters are worth against the groups of the texts.
pub fn clustered(texts: &[Labelled], clusters: &[usize]) -> Clustered {
    let same =
        |a: &Labelled, b: &Labelled| a.id == b.id || (!a.group.is_empty() && a.group == b.group);
    let (mut right, mut found, mut wanted, mut apart) = (0, 0, 0, 0);
    let (mut precision, mut recall) = (0.0, 0.0);
    for (text, own) in texts.iter().zip(clusters) {
        let (mut both, mut in_cluster, mut in_group) = (0, 0, 0);
        for (other, theirs) in texts.iter().zip(clusters) {
            let (group, cluster) = (same(text, other), own == theirs);
            both += usize::from(group && cluster);
            in_cluster += usize::from(cluster);
            in_group += usize::from(group);
            apart += usize::from(!group);
        }
        precision += share(both, in_cluster, 1.0);
        recall += share(both, in_group, 1.0);
        // Every pair is seen from both of its ends, and each text with itself is no pair.
        right += both - 1;
        found += in_cluster - 1;
        wanted += in_group - 1;
    }
    let number = as_number(texts.len().max(1));
    Clustered {
        texts: texts.len(),
        clusters: clusters.iter().collect::<BTreeSet<_>>().len(),
        pairs: Score::of(share(right, found, 1.0), share(right, wanted, 1.0)),
        b_cubed: Score::of(precision / number, recall / number),
        false_merges: share(found - right, apart, 0.0),
    }
}

fn share(part: usize, whole: usize, of_nothing: f64) -> f64 {
    if whole == 0 { of_nothing } else { as_number(part) / as_number(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn as_number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::{Labelled, clustered};

    #[test]
    fn clusters_are_measured_by_pairs_and_by_text() {
        let texts = [("a", "x"), ("b", "x"), ("c", "x"), ("d", "y"), ("e", "")];
        let texts = texts.map(|(id, group)| Labelled {
            id: id.to_owned(),
            group: group.to_owned(),
            text: String::new(),
        });
        let perfect = clustered(&texts, &[0, 0, 0, 1, 2]);
        assert_eq!((perfect.pairs.f1, perfect.b_cubed.f1, perfect.false_merges), (1.0, 1.0, 0.0));
        // Two of three copies found, and one text that is a copy of none put to them.
        let found = clustered(&texts, &[0, 0, 1, 2, 0]);
        assert_eq!((found.texts, found.clusters), (5, 3));
        assert_eq!((found.pairs.precision, found.pairs.recall), (1.0 / 3.0, 1.0 / 3.0));
        // By text: 2/3, 2/3, 1, 1 and 1/3 right; 2/3, 2/3, 1/3, 1 and 1 found.
        let all = 5.0;
        let expected = (
            (2.0 / 3.0 + 2.0 / 3.0 + 1.0 + 1.0 + 1.0 / 3.0) / all,
            (2.0 / 3.0 + 2.0 / 3.0 + 1.0 / 3.0 + 1.0 + 1.0) / all,
        );
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(
            close(found.b_cubed.precision, expected.0) && close(found.b_cubed.recall, expected.1)
        );
        // Two of the seven pairs of different groups are in one cluster.
        assert!(close(found.false_merges, 2.0 / 7.0), "{found:?}");
        let nothing = clustered(&[], &[]);
        assert_eq!((nothing.pairs.precision, nothing.false_merges), (1.0, 0.0));
    }
}
