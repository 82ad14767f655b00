//! Endpoints of reactions. A user has at most one reaction of each kind.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{
    ApiCall, GitHubAnswer, created, invalid, no_content, node, not_found, ok, stamp, text,
};
use super::show::issue::KINDS;
use super::store::{LabGitHub, StoredReaction};

#[derive(Clone, Copy, Debug)]
pub(crate) enum ReactionTarget {
    Comment(u64),
    Issue(u64),
}

impl LabGitHub {
    fn show_reaction(&self, reaction: &StoredReaction) -> Value {
        json!({
            "id": reaction.id, "node_id": node("REA", reaction.id), "user": self.user(&reaction.by),
            "content": reaction.kind, "created_at": stamp(reaction.at),
        })
    }

    fn reactions_mut(
        &mut self,
        key: &str,
        target: ReactionTarget,
    ) -> &mut BTreeMap<u64, StoredReaction> {
        match target {
            ReactionTarget::Comment(id) => &mut self.comment_mut(key, id).reactions,
            ReactionTarget::Issue(number) => &mut self.issue_mut(key, number).reactions,
        }
    }

    /// `GET …/issues/comments/{comment_id}/reactions`
    pub(crate) fn list_reactions(&self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let comment = self.repo(&call.repo).find_comment(id)?;
        let kind = call.request.param("content");
        let all = comment
            .reactions
            .values()
            .filter(|reaction| kind.is_none_or(|kind| kind == reaction.kind));
        Ok(self
            .page(call, all.collect(), |reaction| self.show_reaction(reaction))
            .answer())
    }

    /// `POST …/issues/comments/{comment_id}/reactions`
    pub(crate) fn react_to_comment(&mut self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let id = self.repo(&call.repo).find_comment(id)?.id;
        self.react(call, ReactionTarget::Comment(id))
    }

    /// `POST …/issues/{issue_number}/reactions`
    pub(crate) fn react_to_issue(&mut self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let number = self.repo(&call.repo).find_issue(number)?.number;
        self.react(call, ReactionTarget::Issue(number))
    }

    fn react(&mut self, call: &ApiCall<'_>, target: ReactionTarget) -> GitHubAnswer {
        let by = self.commenter(call)?;
        let body = call.json()?;
        let kind = text(&body, "Reaction", "content")?.to_owned();
        if !KINDS.contains(&kind.as_str()) {
            return Err(invalid("Reaction", "content", "invalid", ""));
        }
        let (id, at) = (self.id(), self.now);
        let all = self.reactions_mut(&call.repo, target);
        if let Some(known) = all
            .values()
            .find(|known| known.by == by && known.kind == kind)
            .cloned()
        {
            return Ok(ok(&self.show_reaction(&known)));
        }
        let reaction = StoredReaction { id, by, kind, at };
        all.insert(id, reaction.clone());
        Ok(created(&self.show_reaction(&reaction)))
    }

    /// `DELETE …/issues/comments/{comment_id}/reactions/{reaction_id}`
    pub(crate) fn delete_reaction(
        &mut self,
        call: &ApiCall<'_>,
        id: &str,
        reaction: &str,
    ) -> GitHubAnswer {
        let comment = self.repo(&call.repo).find_comment(id)?;
        let id = comment.id;
        let found = reaction
            .parse()
            .ok()
            .and_then(|reaction: u64| comment.reactions.get(&reaction));
        let found = found.ok_or_else(not_found)?;
        let reaction = found.id;
        self.may_edit(call, &found.by)?;
        self.comment_mut(&call.repo, id).reactions.remove(&reaction);
        Ok(no_content())
    }
}
