FROM system
ENV LANG=C.UTF-8 PYTHON_VERSION=3.@MINOR@
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates netbase tzdata \
        python3 python3-pip python3-setuptools python3-venv python3-wheel @TOOLS@ \
    && mkdir /tmp/headers && cd /tmp/headers \
    && apt-get download libpython3.@MINOR@-dev python3.@MINOR@-dev python3-dev \
    && for package in *.deb; do \
        dpkg-deb --fsys-tarfile "$package" \
            | tar --extract --directory / --keep-directory-symlink --exclude=*.a --exclude=./usr/share \
        || exit 1; \
    done \
    && cd / && rm -rf /tmp/headers \
    && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/apt/* /var/cache/ldconfig/aux-cache \
    && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \
    && find /usr/lib/python3* -name __pycache__ -prune -exec rm -rf {} + \
    && cd /usr/lib/python3/dist-packages \
    && find . -maxdepth 1 -name '*-info' ! -name 'pip-*' ! -name 'setuptools-*' ! -name 'wheel-*' -exec rm -rf {} + \
    && for known in pip-*.dist-info setuptools-*.dist-info wheel-*.dist-info; do \
        [ ! -d "$known" ] || find "${known%%-*}" "$known" -type f | sed 's/$/,,/' > /tmp/RECORD; \
        [ ! -d "$known" ] || mv /tmp/RECORD "$known/RECORD"; \
    done \
    && cd / \
    && mkdir -p /usr/local/bin /usr/local/include /usr/local/lib/python3.@MINOR@/dist-packages \
    && ln -s /usr/include/python3.@MINOR@ /usr/local/include/python3.@MINOR@ \
    && ln -s dist-packages /usr/local/lib/python3.@MINOR@/site-packages \
    && { [ @WANTED@ = @MINOR@ ] || ln -s python3.@MINOR@ /usr/local/lib/python3.@WANTED@; } \
    && ln -s /usr/bin/python3 /usr/local/bin/python3 \
    && ln -s python3 /usr/local/bin/python \
    && ln -s python3 /usr/local/bin/python3.@MINOR@ \
    && ln -s /usr/bin/python3-config /usr/local/bin/python3-config \
    && ln -s python3-config /usr/local/bin/python-config \
    && ln -s /usr/bin/pip3 /usr/local/bin/pip3 \
    && ln -s pip3 /usr/local/bin/pip
CMD ["python3"]
