//! Forwarding: the rules, and which instances they are about.

mod claims;
mod list;
mod queue;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use model::{
    access::Scope,
    event::{Event, EventEnvelope},
    forward::ForwardRule,
};
use sqlx::types::Json;
use uuid::Uuid;

pub use self::{
    list::{ForwardFilter, ForwardItem},
    queue::{Forward, ForwardOutcome, NewForward},
};
use crate::{
    Attribute, AuditActor, AuditRecord, Condition, Database, DatabaseError, Level, Matching, MatchingRules,
    SearchQuery, StoredInstance, audit::insert_audit, text::clean,
};

/// A rule as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardRuleRow {
    /// Identity.
    pub id: Uuid,
    /// For people; each name once.
    pub name: String,
    /// The rule.
    pub rule: ForwardRule,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    rule: Json<ForwardRule>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for ForwardRuleRow {
    fn from(Row { id, name, rule, created_at, updated_at }: Row) -> Self {
        Self { id, name, rule: rule.0, created_at, updated_at }
    }
}

/// The conditions of a rule, as a search asks for them.
///
/// # Errors
/// Field and sentence of each attribute that cannot be matched.
pub fn forward_conditions(rule: &ForwardRule) -> Result<Vec<Condition>, Vec<(String, String)>> {
    let (mut conditions, mut refusals) = (Vec::new(), Vec::new());
    for (keyword, value) in &rule.attributes {
        let Some(attribute) = Attribute::from_keyword(keyword) else {
            refusals.push((keyword.clone(), "is no attribute that is matched on".to_owned()));
            continue;
        };
        match Matching::parse(attribute.vr(), value, MatchingRules::default()) {
            Ok(Some(matching)) => conditions.push(Condition { attribute, matching }),
            Ok(None) => {}
            Err(expected) => refusals.push((keyword.clone(), format!("expected {expected}"))),
        }
    }
    if refusals.is_empty() { Ok(conditions) } else { Err(refusals) }
}

impl Database {
    /// Every rule, by name.
    pub async fn forward_rules(&self) -> Result<Vec<ForwardRuleRow>, DatabaseError> {
        const SQL: &str = "SELECT id, name, rule, created_at, updated_at FROM forward_rule ORDER BY name";
        let rows: Vec<Row> = on!(self, engine => sqlx::query_as(SQL).fetch_all(&engine.read).await?);
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Makes a rule. It counts for what is stored from now on.
    ///
    /// # Errors
    /// [`DatabaseError::Conflict`] when there is one of that name.
    pub async fn create_forward_rule(
        &self,
        name: &str,
        rule: ForwardRule,
        actor: &AuditActor,
    ) -> Result<ForwardRuleRow, DatabaseError> {
        const SQL: &str =
            "INSERT INTO forward_rule (id, name, rule, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)";
        let mut tx = self.begin().await?;
        let (id, name, now) = (Uuid::now_v7(), clean(name), tx.now);
        let made: Result<(), DatabaseError> = on_tx!(tx, connection => sqlx::query(SQL)
            .bind(id)
            .bind(&name)
            .bind(Json(&rule))
            .bind(now)
            .execute(connection)
            .await
            .map(drop)
            .map_err(DatabaseError::from));
        match made {
            Err(error) if error.is_unique_violation() => {
                return Err(DatabaseError::Conflict("there is a rule of this name".to_owned()));
            }
            other => other?,
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "create_forward_rule").about(id)]).await?;
        self.commit(tx).await?;
        Ok(ForwardRuleRow { id, name, rule, created_at: now, updated_at: now })
    }

    /// Replaces a rule, for what is stored from now on; false when it is not there. What waits by it and is not its any more waits
    /// by another rule that asks for it, and goes nowhere when there is none.
    pub async fn update_forward_rule(
        &self,
        id: Uuid,
        rule: &ForwardRule,
        actor: &AuditActor,
    ) -> Result<bool, DatabaseError> {
        const SQL: &str = "UPDATE forward_rule SET rule = $2, updated_at = $3 WHERE id = $1";
        const ELSEWHERE: &str =
            "DELETE FROM forward WHERE rule_id = $1 AND state <> 'sent' AND destination <> $2";
        let mut tx = self.begin().await?;
        claims::hold(&mut tx, id).await?;
        let now = tx.now;
        let changed = on_tx!(tx, connection =>
            sqlx::query(SQL).bind(id).bind(Json(rule)).bind(now).execute(connection).await?.rows_affected());
        if changed == 0 {
            return Ok(false);
        }
        claims::leave(&mut tx, id, &rule.destination).await?;
        claims::hand_over(&mut tx, None).await?;
        on_tx!(tx, connection => sqlx::query(ELSEWHERE)
            .bind(id)
            .bind(rule.destination.as_str())
            .execute(connection)
            .await
            .map(drop)?);
        insert_audit(&mut tx, &[AuditRecord::success(actor, "update_forward_rule").about(id)]).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Removes a rule and what waits by it alone; false when it is not there.
    pub async fn remove_forward_rule(&self, id: Uuid, actor: &AuditActor) -> Result<bool, DatabaseError> {
        let mut tx = self.begin().await?;
        claims::hold(&mut tx, id).await?;
        claims::hand_over(&mut tx, Some(id)).await?;
        let removed = on_tx!(tx, connection => sqlx::query("DELETE FROM forward_rule WHERE id = $1")
            .bind(id)
            .execute(connection)
            .await?
            .rows_affected());
        if removed == 0 {
            return Ok(false);
        }
        insert_audit(&mut tx, &[AuditRecord::success(actor, "remove_forward_rule").about(id)]).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// What the rules say of events: the instances that are to be sent on. A rule is about what was stored after it was last
    /// changed, and not about what comes back from the objects. `scope` reads every study.
    pub async fn forwards_of(
        &self,
        scope: &Scope,
        rules: &[ForwardRuleRow],
        events: &[EventEnvelope],
    ) -> Result<Vec<NewForward>, DatabaseError> {
        let stored: HashMap<&str, DateTime<Utc>> =
            events.iter().filter_map(|event| Some((stored_uid(event)?, event.at))).collect();
        let counts =
            |row: &&ForwardRuleRow| row.rule.enabled && stored.values().any(|at| *at >= row.updated_at);
        let rules: Vec<&ForwardRuleRow> = rules.iter().filter(counts).collect();
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let uids: Vec<&str> = stored.keys().copied().collect();
        let instances = self.instances_by_uid(scope, &uids).await?;
        let mut found = Vec::new();
        for row in rules {
            let later = |instance: &&StoredInstance| {
                stored.get(instance.sop_instance_uid.as_str()).is_some_and(|at| *at >= row.updated_at)
            };
            let wanted: Vec<&StoredInstance> = instances.iter().filter(later).collect();
            for instance in self.matching(scope, &row.rule, wanted).await? {
                let priority = row.rule.priority.weight();
                let destination = row.rule.destination.clone();
                found.push(NewForward { rule_id: row.id, instance, destination, priority });
            }
        }
        Ok(found)
    }

    /// The ids of those instances of which a rule holds.
    async fn matching(
        &self,
        scope: &Scope,
        rule: &ForwardRule,
        mut wanted: Vec<&StoredInstance>,
    ) -> Result<Vec<Uuid>, DatabaseError> {
        if !rule.from.is_empty() {
            let mut sent = HashSet::new();
            for title in &rule.from {
                sent.extend(self.sent_by(title, &wanted).await?);
            }
            wanted.retain(|instance| sent.contains(&instance.id));
        }
        // A rule that no search understands was written by a later version: it is about nothing here.
        let Ok(mut conditions) = forward_conditions(rule) else { return Ok(Vec::new()) };
        if conditions.is_empty() || wanted.is_empty() {
            return Ok(wanted.iter().map(|instance| instance.id).collect());
        }
        let uids = wanted.iter().map(|instance| instance.sop_instance_uid.to_string()).collect();
        conditions
            .push(Condition { attribute: Attribute::SOPInstanceUID, matching: Matching::UidList(uids) });
        let limit = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
        let query = SearchQuery { level: Level::Instance, conditions, limit, ..SearchQuery::default() };
        let rows = self.search(scope, &query).await?.rows;
        let of_row = |row: crate::SearchRow| row.instance.map(|instance| instance.id);
        Ok(rows.into_iter().filter_map(of_row).collect())
    }
}

/// The instance that an event says was stored, for the first time.
fn stored_uid(envelope: &EventEnvelope) -> Option<&str> {
    match &envelope.event {
        Event::InstanceStored { sop_instance_uid, again: false, .. } => Some(sop_instance_uid),
        _ => None,
    }
}
