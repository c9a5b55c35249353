import streamlit as st

import widgets

st.title("desk")
widgets.draw()
