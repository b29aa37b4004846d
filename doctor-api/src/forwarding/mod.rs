//! Forwarding: what is sent on to other archives by itself, and how that goes.

pub mod create_forward_rule;
pub mod delete_forward_rule;
pub mod list_forward_rules;
pub mod list_forwards;
pub mod retry_forward;
pub mod update_forward_rule;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use database::{ForwardItem, ForwardRuleRow, forward_conditions};
use model::{
    AeTitle,
    forward::{ForwardPriority, ForwardRule},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::input::check::Checks;

/// Most titles and attributes of a rule.
const LIST_LENGTH_MAX: usize = 64;
/// Longest name of a rule in characters.
const NAME_LENGTH_MAX: usize = 100;

/// A rule of forwarding.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ForwardRule)]
pub struct ForwardRuleBody {
    /// Identity.
    id: Uuid,
    /// Name.
    name: String,
    #[serde(flatten)]
    rule: ForwardRuleContent,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed: what is stored from then on is looked at by it.
    updated_at: DateTime<Utc>,
}

/// What can be written about a rule. All of it has to hold of an instance.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardRuleContent {
    /// Whether it counts.
    #[serde(default = "yes")]
    enabled: bool,
    /// AE title of whom instances are sent to; registered with a host and a port.
    #[schema(example = "CENTRAL", max_length = 16)]
    destination: String,
    /// AE titles of whom they came from over DICOM; none: whoever they came from, by whichever door.
    #[serde(default)]
    #[schema(max_items = 64)]
    from: Vec<String>,
    /// Attributes by keyword, with a value as in a query.
    #[serde(default)]
    #[schema(example = json!({ "Modality": "CR,DX", "BodyPartExamined": "CHEST*" }))]
    attributes: BTreeMap<String, String>,
    /// What goes first of what waits: `low`, `medium` or `high`.
    #[serde(default)]
    #[schema(value_type = String, example = "medium")]
    priority: ForwardPriority,
}

fn yes() -> bool {
    true
}

impl From<ForwardRuleRow> for ForwardRuleBody {
    fn from(ForwardRuleRow { id, name, rule, created_at, updated_at }: ForwardRuleRow) -> Self {
        let ForwardRule { enabled, destination, from, attributes, priority } = rule;
        let from = from.into_iter().map(String::from).collect();
        let rule =
            ForwardRuleContent { enabled, destination: destination.into(), from, attributes, priority };
        Self { id, name, rule, created_at, updated_at }
    }
}

impl ForwardRuleContent {
    /// The rule, each field checked; what is wrong is noted in `checks`, and then there may be none.
    fn parse(self, checks: &mut Checks) -> Option<ForwardRule> {
        checks.require(self.from.len() <= LIST_LENGTH_MAX, "from", "has more than 64 entries");
        checks.require(self.attributes.len() <= LIST_LENGTH_MAX, "attributes", "has more than 64 entries");
        let mut title = |field: &str, text: &str| match AeTitle::parse(text) {
            Ok(title) => Some(title),
            Err(error) => {
                checks.refuse(field, error.to_string());
                None
            }
        };
        let destination = title("destination", &self.destination);
        let from = self.from.iter().take(LIST_LENGTH_MAX).enumerate();
        let from = from.filter_map(|(index, text)| title(&format!("from[{index}]"), text)).collect();
        let (enabled, attributes, priority) = (self.enabled, self.attributes, self.priority);
        let rule = ForwardRule { enabled, destination: destination?, from, attributes, priority };
        if let Err(refusals) = forward_conditions(&rule) {
            for (keyword, why) in refusals {
                let shown: String = keyword.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
                checks.refuse(&format!("attributes.{shown}"), why);
            }
        }
        Some(rule)
    }
}

/// An instance on its way to a destination.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Forward)]
pub struct ForwardBody {
    /// Identity.
    id: Uuid,
    /// The rule.
    rule_id: Uuid,
    /// SOP Instance UID (0008,0018).
    sop_instance_uid: String,
    /// AE title.
    #[schema(example = "CENTRAL")]
    destination: String,
    /// `pending`, `sent` or `dead`.
    #[schema(example = "pending")]
    state: &'static str,
    /// Attempts begun.
    attempts: i32,
    /// When it is tried next; none when it is not.
    due_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed; empty when it did not.
    last_error: String,
    /// When it was queued.
    created_at: DateTime<Utc>,
    /// When it arrived or was given up.
    ended_at: Option<DateTime<Utc>>,
}

impl From<ForwardItem> for ForwardBody {
    fn from(item: ForwardItem) -> Self {
        Self {
            id: item.id,
            rule_id: item.rule_id,
            sop_instance_uid: item.sop_instance_uid,
            destination: item.destination,
            state: item.state.as_str(),
            attempts: item.attempts,
            due_at: item.due_at,
            last_error: item.last_error,
            created_at: item.created_at,
            ended_at: item.ended_at,
        }
    }
}
