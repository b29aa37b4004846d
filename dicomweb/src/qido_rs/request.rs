//! PS3.18 8.3.4 and 10.6.1, the query parameters of a Search Transaction.

use std::collections::BTreeSet;

use database::{Attribute, Condition, Level, MATCHING_UIDS_MAX, Matching, MatchingRules, Order, SortKey};
use service::http::problem::Problem;

use super::name::{Name, parse_path, resolve};

/// Most attributes to sort by.
const SORT_KEYS_MAX: usize = 8;
/// Length of the keys that are named in a warning, in bytes; of more it is only said that there are some.
const NOT_MATCHED_LENGTH_MAX_BYTES: usize = 300;

/// What a search asks for, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// What must match.
    pub conditions: Vec<Condition>,
    /// Rows of one page.
    pub limit: u32,
    /// Rows to pass over.
    pub offset: u64,
    /// Match person names loosely.
    pub fuzzy: bool,
    /// Attributes wanted beyond the usual ones.
    pub include: IncludeFields,
    /// In which order; not yet checked against the level of the search.
    pub order: Vec<SortKey>,
    /// Names of attributes that were given a value and are not matched on.
    pub not_matched: Vec<String>,
}

/// `includefield`, and the keys that were matched on (PS3.18 10.6.3.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncludeFields {
    /// Everything there is.
    pub all: bool,
    /// Single attributes of the top level; unknown ones are no error and not here.
    pub tags: BTreeSet<u32>,
}

impl IncludeFields {
    /// Whether an attribute is wanted.
    pub fn contains(&self, tag: u32) -> bool {
        self.all || self.tags.contains(&tag)
    }

    /// Whether anything is wanted that only an instance's header has.
    pub fn wants_header(&self) -> bool {
        self.all || self.tags.iter().any(|tag| Attribute::from_tag(*tag).is_none())
    }

    fn add(&mut self, list: &str) {
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name.eq_ignore_ascii_case("all") {
                self.all = true;
            } else if let Some(path) = parse_path(name) {
                // A path into a sequence brings the whole sequence.
                self.tags.insert(path[0]);
            }
        }
    }
}

/// Reads the query of a search; `page_max` is both the default and the largest limit.
///
/// Attributes of deeper levels may be matched too, as viewers do with Modality on studies: then one series or
/// instance has to fit.
pub fn parse(pairs: &[(String, String)], page_max: u32) -> Result<SearchRequest, Problem> {
    let mut request = SearchRequest {
        conditions: Vec::new(),
        limit: page_max,
        offset: 0,
        fuzzy: false,
        include: IncludeFields::default(),
        order: Vec::new(),
        not_matched: Vec::new(),
    };
    let mut rules = MatchingRules::default();
    let mut keys = Vec::new();
    for (name, value) in pairs {
        match name.to_ascii_lowercase().as_str() {
            "limit" => {
                let limit: u64 = number(name, value)?;
                request.limit = u32::try_from(limit).unwrap_or(u32::MAX).min(page_max);
            }
            "offset" => request.offset = number(name, value)?,
            "fuzzymatching" => request.fuzzy = boolean(name, value)?,
            "emptyvaluematching" => rules.empty_value = boolean(name, value)?,
            "multiplevaluematching" => rules.multiple_value = boolean(name, value)?,
            "includefield" => request.include.add(value),
            "orderby" => add_sort_keys(&mut request.order, name, value)?,
            _ => keys.push((name.as_str(), value.as_str())),
        }
    }
    for (name, value) in keys {
        add_key(&mut request, rules, name, value)?;
    }
    Ok(request)
}

/// The order of the rows at a level; 400 for an attribute that no row there has one value of.
pub fn order(keys: Vec<SortKey>, level: Level) -> Result<Order, Problem> {
    if let Some(key) = keys.iter().find(|key| !key.attribute.sorts(level)) {
        let keyword = key.attribute.keyword();
        return Err(refused("orderby", format!("{keyword} is no attribute to sort these rows by")));
    }
    Ok(match keys[..] {
        [] | [SortKey { attribute: Attribute::StudyDate, descending: true }] => Order::Standard,
        [SortKey { attribute: Attribute::StudyDate, descending: false }] => Order::OldestFirst,
        _ => Order::By(keys),
    })
}

fn number(name: &str, value: &str) -> Result<u64, Problem> {
    let number: Option<u64> = value.trim().parse().ok().filter(|number| i64::try_from(*number).is_ok());
    number.ok_or_else(|| refused(name, "a whole number of 0 or more"))
}

fn boolean(name: &str, value: &str) -> Result<bool, Problem> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        _ => Err(refused(name, "true or false")),
    }
}

fn refused(name: &str, message: impl Into<String>) -> Problem {
    Problem::bad_request("a query parameter cannot be understood; see errors").field(name, message)
}

/// Attributes separated by commas, each with `-` before it for descending. Not in PS3.18; other archives have it too.
fn add_sort_keys(keys: &mut Vec<SortKey>, name: &str, list: &str) -> Result<(), Problem> {
    for piece in list.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
        let (descending, piece) = match piece.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, piece.strip_prefix('+').unwrap_or(piece)),
        };
        let Name::Matched(attribute) = resolve(piece) else {
            return Err(refused(
                name,
                "attributes that this archive matches on, with - before those to be descending",
            ));
        };
        if keys.len() == SORT_KEYS_MAX {
            return Err(refused(name, format!("at most {SORT_KEYS_MAX} attributes")));
        }
        keys.push(SortKey { attribute, descending });
    }
    Ok(())
}

fn add_key(
    request: &mut SearchRequest,
    rules: MatchingRules,
    name: &str,
    value: &str,
) -> Result<(), Problem> {
    let attribute = match resolve(name) {
        Name::Matched(attribute) => attribute,
        Name::Parameter => return Ok(()),
        Name::Unknown => return Err(refused(name, "no attribute of DICOM has this name")),
        Name::NotMatched(tag) => {
            request.include.tags.insert(tag);
            // Said in the answer: otherwise it would look as if all of it fitted.
            if !Matching::is_universal(value) && !request.not_matched.iter().any(|known| known == name) {
                request.not_matched.push(name.to_owned());
            }
            return Ok(());
        }
    };
    request.include.tags.insert(attribute.tag());
    let matching = Matching::parse(attribute.vr(), value, rules).map_err(|message| refused(name, message))?;
    let Some(matching) = matching else { return Ok(()) };
    let Some(known) = request.conditions.iter_mut().find(|known| known.attribute == attribute) else {
        request.conditions.push(Condition { attribute, matching });
        return Ok(());
    };
    match (&mut known.matching, matching) {
        // Some clients repeat the parameter for each UID.
        (Matching::UidList(known), Matching::UidList(more))
            if attribute.vr() == "UI" && known.len() + more.len() <= MATCHING_UIDS_MAX =>
        {
            known.extend(more);
            Ok(())
        }
        _ => Err(refused(name, "each attribute may be given once")),
    }
}

/// The text of the warning about [`SearchRequest::not_matched`]; `None` when there is nothing to say.
pub fn warning(not_matched: &[String]) -> Option<String> {
    if not_matched.is_empty() {
        return None;
    }
    let mut length = 0;
    let fits = |name: &&String| {
        length += name.len();
        length <= NOT_MATCHED_LENGTH_MAX_BYTES
    };
    let named: Vec<&str> = not_matched.iter().take_while(fits).map(String::as_str).collect();
    let more = if not_matched.len() > named.len() { " and others" } else { "" };
    Some(format!("These attributes are not matched on and were passed over: {}{more}", named.join(", ")))
}

/// The condition that a UID in the path makes.
pub fn uid_condition(attribute: Attribute, uid: &str) -> Condition {
    Condition { attribute, matching: Matching::UidList(vec![uid.to_owned()]) }
}

#[cfg(test)]
mod tests;
