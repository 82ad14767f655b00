//! What `planebot lab` prints about the environment that it leaves running: addresses, and requests to try.

use crate::demo::environment::{DemoEnvironment, REPOSITORY};

/// Addresses, credentials and commands, for a terminal.
pub(super) fn guide(environment: &DemoEnvironment) -> String {
    let (token, operator) = {
        let github = environment.github.github();
        (github.token("alice"), github.token("bob"))
    };
    let (github, maas) = (&environment.github.url, &environment.maas.url);
    let folder = environment.folder.display();
    format!(
        "A MAAS, a GitHub and planebot are running until Ctrl-C.\n\n\
         MAAS      {maas}   (API key in {folder}/maas-key)\n\
         GitHub    {github}/repos/{REPOSITORY}\n\
         planebot  http://127.0.0.1:{port}   (log in {folder}/service.log)\n\n\
         alice writes pull requests, bob is an operator, mallory may only comment. Try, as alice:\n\n  \
         API={github}/repos/{REPOSITORY}; T='authorization: Bearer {token}'\n  \
         SHA=$(curl -s -H \"$T\" $API/git/ref/heads/main | jq -r .object.sha)\n  \
         curl -s -H \"$T\" $API/git/refs -d '{{\"ref\":\"refs/heads/try\",\"sha\":\"'$SHA'\"}}'\n  \
         # change a file on that branch with PUT $API/contents/topology/FILE.yaml, then\n  \
         curl -s -H \"$T\" $API/pulls -d '{{\"title\":\"try\",\"head\":\"try\",\"base\":\"main\"}}'\n  \
         curl -s -H \"$T\" $API/issues/1/comments | jq -r '.[].body'\n\n\
         and as bob, an operator (authorization: Bearer {operator}):\n\n  \
         curl -s -X PUT -H 'authorization: Bearer {operator}' $API/pulls/1/merge -d '{{}}'\n  \
         curl -s -H 'authorization: Bearer {operator}' $API/issues/1/comments -d '{{\"body\":\"/apply\"}}'\n\n\
         or use the command line:\n\n  \
         planebot --config {folder}/planebot.toml --topology topology plan\n",
        port = environment.service.port,
    )
}
