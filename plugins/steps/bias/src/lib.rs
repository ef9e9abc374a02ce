//! Counts where the sources of a report come from. The rules are in `research_quality::bias`.

#![deny(unsafe_code)]

mod convert;

use research_quality::bias::{self, Aliases, Date, TrustList};
use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:step-bias/bias" for Bias, generate_all);

use exports::ringfence::research::bias::{Guest, Report, Task, TrustList as GivenList};

/// Most lists of a user.
const MAX_LISTS: usize = 16;

/// The component.
struct Bias;

impl Guest for Bias {
    fn assess(task: Task) -> Result<Report, ToolError> {
        let given = task.lists.unwrap_or_default();
        if given.len() > MAX_LISTS {
            let text = format!("there are {} lists, more than {MAX_LISTS}", given.len());
            return Err(ToolError::InvalidInput(text));
        }
        let mut lists = given.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        lists.push(TrustList::own());
        let mut aliases = Aliases::default();
        for alias in task.aliases.unwrap_or_default() {
            aliases.add(&alias.domain, &alias.counts_as);
        }
        let today = task.today.as_deref().map(|day| date("today", day)).transpose()?;
        let sources: Vec<bias::Source> = task
            .sources
            .into_iter()
            .map(|source| bias::Source { url: source.url, cluster: source.cluster })
            .collect();
        let report = bias::assess(&sources, &lists, &aliases, today)
            .map_err(|error| ToolError::InvalidInput(error.to_string()))?;
        Ok(convert::report(report))
    }
}

fn read(list: &GivenList) -> Result<TrustList, ToolError> {
    let as_of = list.as_of.as_deref().map(|day| date("as-of", day)).transpose()?;
    TrustList::parse(&list.name, &list.csv, as_of)
        .map_err(|error| ToolError::InvalidInput(error.to_string()))
}

fn date(field: &str, text: &str) -> Result<Date, ToolError> {
    let wrong = || ToolError::InvalidInput(format!("`{field}` is no date `YYYY-MM-DD`"));
    Date::parse(text).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::exports::ringfence::research::bias::{Alias, Class, Source};
    use super::{Bias, GivenList, Guest as _, Task, ToolError};

    fn task(urls: &[&str]) -> Task {
        let source = |url: &&str| Source { url: (*url).to_owned(), cluster: None };
        let sources = urls.iter().map(source).collect();
        Task { sources, lists: None, aliases: None, today: None }
    }

    fn list(csv: &str, as_of: Option<&str>) -> GivenList {
        GivenList { name: "mine".to_owned(), csv: csv.to_owned(), as_of: as_of.map(str::to_owned) }
    }

    #[test]
    fn a_report_says_what_stands_out_in_words() {
        let mut urls = vec!["https://a.example.com/x"; 5];
        urls.extend(["https://b.org", "https://www.w3.org/TR", "https://c.net", "nonsense here"]);
        let lists = Some(vec![list(
            "domain,score,source,as_of\nb.org,0.1,me,2020-01-01\n",
            Some("2020-01-01"),
        )]);
        let today = Some("2026-11-28".to_owned());
        let report = Bias::assess(Task { lists, today, ..task(&urls) }).unwrap();
        assert_eq!((report.addresses, report.sources, report.shares.len()), (9, 8, 4));
        let warnings: Vec<_> =
            report.warnings.iter().map(|w| (w.code.as_str(), w.message.as_str())).collect();
        assert_eq!(
            warnings,
            [
                ("concentrated", "62.5 % of the independent sources are of `example.com`"),
                ("few-domains", "the sources are spread as if over 2.3 domains"),
                (
                    "low-coverage",
                    "the lists know 25.0 % of the sources; the others are unknown, not bad"
                ),
                ("no-domain", "sources without a usable address, counted from 1: 9"),
                ("old-list", "the list `mine` is of 2020-01-01, 2523 days old; get a newer one"),
            ]
        );
        let b = report.shares.iter().find(|share| share.domain == "b.org").unwrap();
        let score = &b.scores[0];
        assert_eq!((b.class, score.list.as_str(), score.line), (Class::Low, "mine", 2));
        assert_eq!(score.as_of.as_deref(), Some("2020-01-01"));
    }

    #[test]
    fn a_user_adds_aliases() {
        let (domain, counts_as) = ("b.org".to_owned(), "a.com".to_owned());
        let aliases = Some(vec![Alias { domain, counts_as }]);
        let report =
            Bias::assess(Task { aliases, ..task(&["https://a.com", "https://b.org"]) }).unwrap();
        assert_eq!(report.shares.len(), 1);
    }

    #[test]
    fn a_wrong_list_or_date_is_refused_at_its_place() {
        let refused = |task| match Bias::assess(task) {
            Err(ToolError::InvalidInput(text)) => text,
            other => format!("{other:?}"),
        };
        let lists = Some(vec![list("domain,score\na.com,2\n", None)]);
        let wrong = refused(Task { lists, ..task(&[]) });
        assert_eq!(wrong, "the list `mine`, line 2: `2` is no score from 0 to 1");
        let wrong = refused(Task { today: Some("now".to_owned()), ..task(&[]) });
        assert_eq!(wrong, "`today` is no date `YYYY-MM-DD`");
        let wrong =
            refused(Task { lists: Some(vec![list("domain,score", None); 17]), ..task(&[]) });
        assert_eq!(wrong, "there are 17 lists, more than 16");
    }
}
