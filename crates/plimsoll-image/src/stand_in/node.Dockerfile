FROM system
RUN { [ -z "@TOOLS@" ] || { apt-get update && apt-get install -y --no-install-recommends @TOOLS@ \
        && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/aux-cache; }; } \
    && groupadd --gid 1000 node \
    && useradd --uid 1000 --gid node --shell /bin/bash --create-home node \
    && rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- /etc/.pwd.lock \
    && rm -rf /var/log/*
COPY --from=node /bin/node /usr/local/bin/node
COPY --from=npm / /usr/local/lib/node_modules/npm/
ENV NODE_VERSION=@VERSION@
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
    && ln -s node /usr/local/bin/nodejs \
    && chmod 755 /usr/local/bin/node /usr/local/lib/node_modules/npm/bin/npm-cli.js /usr/local/lib/node_modules/npm/bin/npx-cli.js \
    && node --version && npm --version
CMD ["node"]
