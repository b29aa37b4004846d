//! A house with nothing in it to be found, for whoever tests something else.

/// Makes a type such a house.
macro_rules! empty_lookup {
    ($house:ty) => {
        const _: () = {
            use database::{
                InstanceKeys, PatientRow, SearchQuery, SearchResult, StoredInstance, WorklistQuery,
                WorklistStep,
            };
            use model::{
                SopInstanceUid, StudyInstanceUid, TransferSyntaxUid,
                access::{Principal, Role, Scope},
                performed_step::PerformedStep,
            };
            use uuid::Uuid;

            use $crate::{
                access::Rights,
                backend::{Peer, Unavailable},
                commitment_scp::{CommitmentRequest, KeepCommitments},
                identification::{Identify, NotProved, Person, Proof},
                mpps_scp::KeepSteps,
                query_retrieve::{
                    lookup::{Looked, Lookup, NotOpened, Opened},
                    response::Refused as Refusal,
                },
                upper_layer::user_identity::Claim,
                worklist_scp::Schedule,
            };

            impl Lookup for $house {
                async fn scope(&self, _: &Peer, _: &Rights) -> Result<Scope, Refusal> {
                    Ok(Scope::internal())
                }

                async fn search(&self, _: &Scope, _: &SearchQuery) -> Result<SearchResult, Refusal> {
                    Ok(SearchResult::default())
                }

                async fn search_patients(
                    &self,
                    _: &Scope,
                    _: &SearchQuery,
                    _: Option<Uuid>,
                ) -> Result<Vec<PatientRow>, Refusal> {
                    Ok(Vec::new())
                }

                async fn instances(
                    &self,
                    _: &Scope,
                    _: InstanceKeys<'_>,
                    _: u64,
                ) -> Result<Vec<StoredInstance>, Refusal> {
                    Ok(Vec::new())
                }

                async fn is_in_reach(&self, _: &Scope, _: &StudyInstanceUid) -> Result<bool, Refusal> {
                    Ok(true)
                }

                async fn open(
                    &self,
                    _: &StoredInstance,
                    _: &[TransferSyntaxUid],
                ) -> Result<Opened, NotOpened> {
                    Err(NotOpened::Unreadable)
                }

                async fn record(&self, _: &Peer, _: &Rights, _: Looked) -> Result<(), Unavailable> {
                    Ok(())
                }
            }

            impl Identify for $house {
                /// There is one account; its passcode and its token are `right`.
                async fn identify(&self, _: &Peer, claim: Claim) -> Result<Option<Person>, NotProved> {
                    let proof = match claim {
                        Claim::Unproved => return Ok(None),
                        Claim::Passcode { passcode, .. } if *passcode == "right" => {
                            Proof::Passcode { password_hash: String::new() }
                        }
                        Claim::Token(token) if *token == "right" => Proof::Token(token),
                        Claim::Passcode { .. } | Claim::Token(_) | Claim::Unreadable => {
                            return Err(NotProved::Wrong);
                        }
                    };
                    let principal = Principal::new(Uuid::nil(), Role::Viewer, None);
                    Ok(Some(Person { principal, proof }))
                }

                async fn identify_again(&self, person: &Person) -> Result<Principal, NotProved> {
                    Ok(person.principal.clone())
                }
            }

            impl Schedule for $house {
                async fn schedule_scope(&self, _: &Peer) -> Result<Scope, Refusal> {
                    Ok(Scope::internal())
                }

                async fn steps(&self, _: &Scope, _: &WorklistQuery) -> Result<Vec<WorklistStep>, Refusal> {
                    Ok(Vec::new())
                }
            }

            impl KeepSteps for $house {
                async fn step(&self, _: &SopInstanceUid) -> Result<Option<PerformedStep>, Unavailable> {
                    Ok(None)
                }

                async fn create_step(&self, _: &Peer, _: &PerformedStep) -> Result<bool, Unavailable> {
                    Ok(true)
                }

                async fn update_step(&self, _: &Peer, _: &PerformedStep) -> Result<bool, Unavailable> {
                    Ok(true)
                }
            }

            impl KeepCommitments for $house {
                async fn keep_commitment(
                    &self,
                    _: &Peer,
                    _: &CommitmentRequest,
                    _: u32,
                ) -> Result<(), Refusal> {
                    Ok(())
                }
            }
        };
    };
}

pub(crate) use empty_lookup;
